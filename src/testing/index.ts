/**
 * Test doubles for the network, the server and the clock. A test can say who is in a room, drop connections, lose messages, and let
 * virtual time pass.
 *
 * @packageDocumentation
 */

// an application without a server
export { fakeConnection, fakeRoom } from "./fake-connection.ts"
export type { FakeConnection, FakeConnectionOptions, FakeRoom, FakeRoomOptions } from "./fake-connection.ts"
export type { FakeReply, FakeTopic, SentMessage } from "./fake-topic.ts"

// what happened in production
export { record } from "./record.ts"
export type { Recording, RecordOptions } from "./record.ts"
export type { FrameEntry, RecordingEntry, RecordingHead } from "./recording.ts"
export type { Place, Redact } from "./redaction.ts"
export { replay } from "./replay.ts"
export type { Replay, ReplayStep } from "./replay.ts"

// clients without a network
export { memoryTransport } from "./memory-transport.ts"
export type { MemoryTransport, MemoryWebSocket } from "./memory-transport.ts"

// a cluster in virtual time
export { SeededNetwork } from "./seeded-network.ts"
export type { Conditions, SeededNetworkOptions } from "./seeded-network.ts"
export type { NetworkMessage, OnMessage } from "./network-message.ts"
export { readTrackerMessage } from "./tracker-message.ts"
export type { MessagePart, TrackerMessage } from "./tracker-message.ts"
export type { SeededNode } from "./seeded-node.ts"
export { mulberry32 } from "./prng.ts"
