export type { DropReason, PubSub, PubSubOptions, PubSubStatus, Receive } from "./pubsub.ts"
export { local, LocalBus, type LocalOptions } from "./local.ts"
export { ipc, type IpcOptions, type IpcPubSub } from "./ipc.ts"
export { relay, type Relay, type RelayOptions, type WorkerCluster, type WorkerProcess } from "./ipc-relay.ts"
