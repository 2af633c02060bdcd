/**
 * Everything that a server counts and measures, by name. A handed-in `meter` and `node:diagnostics_channel` get these
 * names as they are; to Prometheus they are `rollcall_<name>`, counters with `_total` behind.
 */

/** Counters of what goes on when all is well. */
export const TRAFFIC = {
  connects: "Connections that were let in.",
  disconnects: "Connections that ended, whoever ended them.",
  joins: "Joins that were put to a handler.",
  failed_joins:
    "Joins that made no channel: refused, crashed, not confirmed by the bus, or their client gone meanwhile.",
  leaves: "Channels that ended, for whatever reason.",
  frames_in: "Messages from clients.",
  frames_out: "Messages to clients.",
  bytes_in: "Bytes of the messages from clients.",
  bytes_out: "Bytes of the messages to clients; over WebSockets with the heads of their frames.",
  polls: "Requests by which long-poll clients asked for messages.",
  relayed_polls: "Polls of sessions of this node that came by way of another.",
  relayed_posts: "Posts to sessions of this node that came by way of another.",
} as const

/** Counters of what was refused, dropped or failed. To Prometheus they are one, `rollcall_drops_total`, by `reason`. */
export const DROPS = {
  bad_handshakes: "Requests for a WebSocket that were none.",
  handshake_timeouts: "Clients that were not let in within `handshakeTimeoutMs`.",
  refused_connects: "Connections refused by `connect`, or for their origin or version.",
  crowded_addresses: "Connections refused because their address had `maxConnectionsPerAddress`.",
  idle_timeouts: "Connections closed because nothing came from them for `idleTimeoutMs`, or no poll.",
  socket_errors: "WebSockets that broke the rules of their protocol.",

  bad_frames: "Messages that could not be read; each closed its connection.",
  oversized_frames: "Messages above `maxFrameBytes`; each closed its connection.",
  frame_floods: "Connections closed for more than `maxFramesPerSecond`.",
  queue_overflows: "Connections closed for more than `maxQueuedFrames`.",
  unmatched_messages: "Messages and joins for a topic that nobody serves here, or that was not joined.",
  stale_messages: "Messages for a channel that had been joined anew since.",

  long_topics: "Joins refused for a topic, or a reference, of more than `maxTopicLength`.",
  join_floods: "Joins refused for more than `maxJoinsPerSecond`.",
  channel_overflows: "Joins refused because their connection had `maxChannels`.",
  join_crashes: "Joins whose handler threw, or took longer than `handlerTimeoutMs`.",
  subscribe_refusals: "Joins refused because the bus does not allow their topic.",
  subscribe_timeouts: "Joins refused because the bus did not confirm their topic within `subscribeTimeoutMs`.",
  channel_crashes: "Channels ended because a handler threw, or took longer than `handlerTimeoutMs`.",
  failed_fetches: "Fetches that failed, or took longer than `fetchTimeoutMs`; their diffs went out without.",

  slow_consumers: "Connections closed because more than `maxBufferedBytes` waited for a client that did not read.",
  undeliverable: "Messages that a client's protocol version or transport cannot say: binary, mostly.",

  relay_timeouts: "Long-poll sessions ended because one of two nodes did not answer the other.",

  bus_breaks: "Times that the engine went away.",
  bus_drops:
    "Messages between nodes that were refused, by the engine on their way out or by this node on their way in.",
  bus_offline: "Messages that were not sent because the engine was away.",
  bus_overflow: "Messages that were not sent because `maxBufferedBytes` waited to be sent.",
  bus_garbage: "Messages over the engine that were none of ours.",
  bus_version: "Messages over the engine of another version.",
  bus_foreign: "Messages over the engine of another namespace.",
  bus_echo: "This node's own messages, come back.",
  bus_incomplete: "Messages over the engine of which a part was lost.",
  bus_unwanted: "Messages over the engine for a topic that nobody here listens to any more.",
  tracker_unsent: "Messages of the tracker that could not be sent.",
  tracker_refused_oversize: "Messages to the tracker above its `maxMessageBytes`.",
  tracker_refused_garbage: "Messages to the tracker that were none of its kind.",
  tracker_refused_version: "Messages to the tracker of another version.",
  tracker_refused_malformed: "Messages to the tracker with parts of the wrong shape.",
  tracker_refused_echo: "Messages to the tracker from a node of its own name.",
  tracker_refused_sender: "Messages to the tracker that came from another node than they say.",
  tracker_refused_pool: "Messages to the tracker from nodes with another `poolSize`.",
  tracker_refused_crowded: "Heartbeats of nodes beyond `maxReplicas`.",
  tracker_refused_departed: "Messages to the tracker from nodes that are over here.",
  tracker_refused_unknown: "Messages to the tracker from nodes that it does not know yet.",
  tracker_overtaken:
    "Heartbeats that claimed more of this node than it has done; it restarts under a new ref, so as to be seen again.",
  tracker_name_conflicts: "Times that two living nodes were found to have one name.",
} as const

/** Sizes, each taken down as it occurs. */
export const SIZES = {
  presence_diff_size: "Metas that joined or left, in each diff of a topic.",
} as const

/** What is so at the moment of looking. */
export const GAUGES = {
  connections: "Connections of this node.",
  channels: "Channels of this node: clients, each counted once for each topic that it has joined.",
  topics: "Topics with a channel on this node.",
  tracker_rows: "Presences of all nodes in sight, as this node knows them: to be compared between nodes, not added up.",
  bus_connected: "1 while the engine can be reached, 0 while it cannot; nothing when this node is alone.",
  node_up: "1 for each other node that is in sight, 0 for one that is silent for so long that its presences have left.",
  node_silent_seconds: "How long nothing has been heard of each other node.",
} as const
