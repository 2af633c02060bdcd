/**
 * Test doubles that produce on demand what the real parts cannot: lost connections, lost messages, virtual time.
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
