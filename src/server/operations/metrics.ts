/**
 * The names of all counters, sizes and gauges of a server, with the help texts that Prometheus shows. A program's `meter` and
 * `node:diagnostics_channel` get these names unchanged. Prometheus gets `rollcall_<name>`, with `_total` after the name of a
 * counter.
 */

/** Counters of normal operation. */
export const TRAFFIC = {
  connects: "Connections that were accepted.",
  disconnects: "Connections that ended, whichever side closed them.",
  joins: "Joins that were passed to a join handler.",
  failed_joins:
    "Joins without a channel: refused, crashed, not confirmed by the bus, or their client disconnected meanwhile.",
  leaves: "Channels that ended, for any reason.",
  frames_in: "Messages received from clients.",
  frames_out: "Messages sent to clients.",
  bytes_in: "Bytes of the messages received from clients.",
  bytes_out: "Bytes of the messages sent to clients; over WebSockets with the headers of their frames.",
  compressed_frames: "Messages that were sent compressed, with the option `compression`.",
  inflated_frames: "Messages that clients have sent compressed, with the option `compression`.",
  pauses:
    "Times that nothing was read from a client for a while, because it sent too much: see `pauseAboveQueuedFrames` and `pauseAboveFramesPerSecond`.",
  held_updates: "Presence updates of clients that were merged with later ones because of `maxUpdatesPerSecond`.",
  expired_presences: "Presences without a connection that ended because they were not renewed within their `ttlMs`.",
  kept_presences: "Presences that were kept after their connection was lost, because of `presenceGraceMs`.",
  resumed_presences: "Kept presences whose place a new presence under the same key has taken.",
  polls: "Requests of long-poll clients for messages.",
  relayed_polls: "Polls of sessions on this node that another node received and relayed.",
  relayed_posts: "Posts to sessions on this node that another node received and relayed.",
  services_calls: "Calls of services that this node made, each attempt by itself.",
  services_moves: "Placed processes that this node handed over to another node.",
  services_restarts: "Placed processes that this node started because their node was gone.",
  services_retries: "Calls of services that this node repeated at another instance.",
} as const

/** Counters of refusals, drops and failures. In Prometheus they are one counter, `rollcall_drops_total`, by `reason`. */
export const DROPS = {
  bad_handshakes: "Requests for a WebSocket that were malformed.",
  handshake_timeouts: "Clients refused because `connect` did not answer within `handshakeTimeoutMs`.",
  refused_connects: "Connections refused by `connect`, or for their origin or protocol version.",
  crowded_addresses: "Connections refused because their address had `maxConnectionsPerAddress` already.",
  unknown_paths: "WebSocket handshakes and long polls for a path that no socket serves; each path is logged once.",
  expired_connections: "Connections closed because the `expiresAt` that `connect` returned had come.",
  descriptor_shortages: "Connections closed at once because the process had hardly any file descriptors left.",
  idle_timeouts: "Connections closed because no frame came for `idleTimeoutMs`, or no poll came in time.",
  socket_errors: "WebSockets closed because they violated the WebSocket protocol.",

  bad_frames: "Messages that could not be decoded; each closed its connection.",
  oversized_frames:
    "Messages larger than `maxFrameBytes`, or compressed ones larger than 64 KiB; each closed its connection.",
  frame_floods: "Connections closed because they sent more than `maxFramesPerSecond`.",
  queue_overflows: "Connections closed because more than `maxQueuedFrames` were waiting.",
  unmatched_messages: "Messages and joins for a topic that no channel serves here, or that the client had not joined.",
  stale_messages: "Messages for a channel that the client had replaced by joining its topic again.",

  long_topics: "Joins refused because the topic, or the reference, was longer than `maxTopicLength`.",
  join_floods: "Joins refused because their connection joined more than `maxJoinsPerSecond`.",
  channel_overflows: "Joins refused because their connection had `maxChannels` already.",
  join_crashes: "Joins whose handler threw, or took longer than `handlerTimeoutMs`.",
  subscribe_refusals: "Joins refused because the bus does not allow their topic.",
  subscribe_timeouts: "Joins refused because the bus did not confirm their topic within `subscribeTimeoutMs`.",
  refused_keys: "Keys that clients may not watch: refused by the `may` of `watchKeys`, too long, or beyond `maxKeys`.",
  refused_presences:
    "Keys, metas and updates of presence that clients chose and that were refused, whatever the reason.",
  channel_crashes: "Channels closed because a handler threw, or took longer than `handlerTimeoutMs`.",
  unkept_presences: "Presences that ended with their connection because `maxKeptPresences` were kept already.",
  failed_fetches:
    "Fetches that failed, or took longer than `fetchTimeoutMs`; their diffs were sent without their data.",

  post_floods: "Posts of long-poll clients refused because 100 others of their session were waiting.",
  post_overflows: "Posts of long-poll clients refused because more than `maxBufferedPostBytes` were in memory.",

  slow_consumers: "Connections closed because more than `maxBufferedBytes` waited for a client that did not read.",
  undeliverable: "Messages that a client's protocol version or transport cannot carry, mostly binary ones.",

  relay_timeouts: "Long-poll sessions closed because one of two nodes did not answer the other.",

  worker_deaths: "Worker processes that ended without being asked to; each is started again. The primary counts them.",

  bus_breaks: "Times that the connection to the engine was lost.",
  bus_drops: "Messages between nodes that the engine refused when sent, or this node refused when received.",
  bus_offline: "Messages that were not sent because there was no connection to the engine.",
  bus_overflow: "Messages that were not sent because `maxBufferedBytes` were waiting to be sent.",
  bus_refused: "Messages that were not sent because the engine does not allow this node to publish them.",
  bus_garbage: "Messages from the engine that are not of this protocol.",
  bus_version: "Messages from the engine of another protocol version.",
  bus_foreign: "Messages from the engine of another namespace.",
  bus_echo: "Messages of this node that the engine sent back to it.",
  bus_incomplete: "Messages from the engine that lack a lost chunk.",
  bus_unwanted: "Messages from the engine for a topic without a subscriber on this node.",

  tracker_unsent: "Messages of the tracker that could not be sent.",
  tracker_refused_oversize: "Messages to the tracker larger than its `maxMessageBytes`.",
  tracker_refused_garbage: "Messages to the tracker that are not of its protocol.",
  tracker_refused_version: "Messages to the tracker of another protocol version.",
  tracker_refused_malformed: "Messages to the tracker with a part of the wrong type or structure.",
  tracker_refused_echo: "Messages to the tracker from a node that has this node's name.",
  tracker_refused_sender: "Messages to the tracker that name another node than the one that sent them.",
  tracker_refused_pool: "Messages to the tracker from nodes with another `poolSize`.",
  tracker_refused_crowded: "Heartbeats of nodes beyond `maxReplicas`.",
  tracker_refused_departed: "Messages to the tracker from nodes that this node has declared permanently down.",
  tracker_refused_unknown: "Messages to the tracker from nodes that this node does not know yet.",
  tracker_overtaken:
    "Heartbeats that claimed more changes of this node than it has made; it continues under a new ref, so that others see it.",
  tracker_name_conflicts: "Times that two running nodes were found to have the same name.",

  services_retries_refused: "Retries of calls that were not made because `retryShare` was used up.",
  services_handler_errors: "Handlers of services that failed with an error that their callers get no details of.",
  services_overloads: "Calls of services refused because of `maxCallsInFlight` or `maxRunningCalls`.",
  services_conflicts:
    "Placed processes that this node stopped because they also ran on another node, as after a network split.",
  services_unsent: "Answers and other messages of services that could not be sent.",
  services_refused_garbage: "Messages between services that are not of their protocol.",
  services_refused_version: "Messages between services of another protocol version.",
  services_refused_unsigned: "Messages between services without the signature of the shared secret.",
  services_refused_oversize: "Messages between services that are much larger than `maxPayloadBytes`.",
  services_refused_replayed: "Calls of services that came twice, or after their abort; they did not run again.",
  services_refused_late: "Answers of services that came twice, or after their call was over.",
} as const

/** Sizes, each observed when it occurs. In Prometheus they are histograms. */
export const SIZES = {
  presence_diff_size:
    "Metas that joined or left, in each diff of a topic that reaches a client or a listener of this node.",
} as const

/** Times of calls, by service and outcome. In Prometheus they are histograms in seconds. */
export const DURATIONS = {
  services_call_seconds: "Calls of services that this node made, each with all its attempts, by service and outcome.",
  services_handled_seconds: "Calls that handlers of services ran on this node, by service and outcome.",
} as const

/** Values that are read when a report is made. */
export const GAUGES = {
  connections: "Connections of this node.",
  channels: "Joined channels of this node: a client counts once for each topic that it has joined.",
  topics: "Topics with a channel on this node.",
  tracker_rows: "Presences of all nodes that this node can see. Compare them between nodes; do not add them up.",
  bus_connected: "1 while the engine is connected, 0 while it is not; no value without a bus.",
  bus_away_seconds: "Time without a connection to the engine, 0 while it is connected; no value without a bus.",
  services_in_flight:
    "Calls of services that this node made and that are not answered yet, and streams that are not over.",
  services_running: "Handlers and streams of services that are running on this node.",
  node_up: "1 for each other node that is up, 0 for a node that was silent for so long that its presences have left.",
  node_silent_seconds: "Time since the last message of each other node.",
} as const

/** The name of a counter of this package. */
export type CounterName = keyof typeof TRAFFIC | keyof typeof DROPS

/** The name of a size of this package. */
export type SizeName = keyof typeof SIZES
