/** The number of hash slots of a Redis cluster. */
export const SLOTS = 16_384

/**
 * Returns the hash slot of a channel: its CRC16 (polynomial 0x1021, start 0) modulo 16 384.
 *
 * Redis hashes only the part between braces if there is one. The names of this package's channels contain no braces.
 */
export function slotOf(channel: string): number {
  let crc = 0
  for (const byte of Buffer.from(channel)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc % SLOTS
}
