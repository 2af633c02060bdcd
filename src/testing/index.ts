/**
 * Doubles for tests of one's own: what real parts cannot produce on demand.
 *
 * @packageDocumentation
 */

export { memoryTransport } from "./memory.ts"
export type { MemoryTransport, MemoryWebSocket } from "./memory.ts"
