/**
 * Test doubles for the network and the clock. A test can drop connections, lose messages, and let virtual time pass.
 *
 * @packageDocumentation
 */

// clients without a network
export { memoryTransport } from "./memory-transport.ts"
export type { MemoryTransport, MemoryWebSocket } from "./memory-transport.ts"

// a cluster in virtual time
export { SeededNetwork } from "./seeded-network.ts"
export type { Conditions, SeededNetworkOptions } from "./seeded-network.ts"
export type { SeededNode } from "./seeded-node.ts"
export { mulberry32 } from "./prng.ts"
