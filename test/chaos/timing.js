/**
 * The timeouts of everything that takes part in the chaos, in ms. From them follows how long a cluster may take to agree again
 * after its last fault.
 */
export const TIMING = {
  /** How often clients send a heartbeat. An unanswered one ends the connection when the next is due. */
  heartbeatMs: 2_000,
  /** The longest delay before a client connects or joins again. */
  reconnectMs: 500,
  /** How long a node keeps a client that sends nothing. */
  idleMs: 8_000,
  /** How long a node then waits for the client to answer its close frame. */
  closeMs: 4_000,
  /** How long a node waits for the engine to confirm a topic. After it, the client's join fails and is repeated. */
  subscribeMs: 2_000,
  broadcastPeriodMs: 500,
  downPeriodMs: 3_000,
  /** Shorter than some pauses, so that nodes are forgotten and come back. */
  permdownPeriodMs: 6_000,
  /** How long a node may take to notice that its engine does not answer. */
  engineNoticeMs: 4_000,
  /** The longest delay before a node connects to its engine again. */
  engineReconnectMs: 2_000,
}

/** @param {string} engine */
export function boundOf(engine) {
  const t = TIMING
  const parts = {
    "the engine is noticed to be away and connected again":
      engine === "workers" ? 0 : t.engineNoticeMs + t.engineReconnectMs,
    "a dead client or a dead server is noticed": Math.max(2 * t.heartbeatMs + t.reconnectMs, t.idleMs + 1_000),
    "a failed join is repeated": t.subscribeMs + t.reconnectMs,
    "a dead node is noticed": t.downPeriodMs + t.broadcastPeriodMs,
    "clocks and states are exchanged": 3 * t.broadcastPeriodMs,
  }
  // A client that has noticed that its line is dead is connected again after this time.
  const noticeMs = 2 * t.heartbeatMs + t.reconnectMs
  return { parts, noticeMs, ms: Object.values(parts).reduce((sum, ms) => sum + ms, 0) }
}
