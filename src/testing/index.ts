/**
 * Doubles for tests of one's own: what real parts cannot produce on demand.
 *
 * @packageDocumentation
 */

// clients without a network
export { memoryTransport } from "./memory.ts"
export type { MemoryTransport, MemoryWebSocket } from "./memory.ts"

// a cluster in virtual time
export { SeededNetwork } from "./network.ts"
export type { Conditions, SeededNetworkOptions } from "./network.ts"
export type { SeededNode } from "./node.ts"
export { mulberry32 } from "./prng.ts"
