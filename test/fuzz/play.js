// Executes an attack over raw TCP connections.
import { connect } from "node:net"

/** How long the server may keep a connection that sends nothing, in ms: its idle timeout, and time to close. */
const RELEASE_MS = 9_000
/** How long a step waits for an answer, in ms. */
const ANSWER_MS = 300
/** How many bytes of a write are written one by one; the rest follows at once. */
const MAX_SINGLE_BYTES = 300

const PROBE_MS = 300
/** The number of probes allows for a busy machine. A connection that the server never releases is still found. */
const PROBES = 40

const tick = () => new Promise((resolve) => setImmediate(resolve))
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Executes the steps of an attack. The server may end its connections in any way, but it must end them.
 *
 * @returns resolves when the steps are done; `released` then resolves when all connections have ended, to the number of
 * those that the server did not end
 */
export async function play({ connections }, port) {
  const session = { token: "" }
  const played = await Promise.all(connections.map((connection) => playConnection(connection, port, session)))
  const released = Promise.all(played.map(({ closed }) => closed))
  return { released: released.then((held) => held.filter(Boolean).length) }
}

async function playConnection({ steps, neverReads, ending }, port, session) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
  let isHeld = false
  const closed = new Promise((resolve) => socket.once("close", () => resolve(isHeld)))
  socket.on("error", () => undefined)
  let answers = 0
  if (neverReads) socket.pause()
  else {
    socket.on("data", (data) => {
      answers += 1
      session.token = /"token":"([^"]+)"/.exec(data.toString("latin1"))?.[1] ?? session.token
    })
  }
  for (const { write, by, waitsForAnswer } of steps) {
    if (waitsForAnswer === true) await nextAnswer(() => (session.token === "" ? -1 : answers))
    const bytes = typeof write === "string" ? Buffer.from(write.replaceAll("{token}", session.token)) : write
    await writeOut(socket, bytes, by)
    if (socket.destroyed) break
  }
  if (ending === "fin") socket.end()
  else if (ending === "reset") socket.resetAndDestroy()
  const timer = setTimeout(() => void probe(), RELEASE_MS)
  void closed.then(() => clearTimeout(timer))
  return { closed }

  /**
   * Checks that the server has released the connection. If the server has closed only its side, it answers a write with a
   * reset, and the next write then fails.
   */
  async function probe() {
    socket.resume()
    for (let writes = 0; writes < PROBES && !socket.destroyed; writes += 1) {
      await pause(PROBE_MS)
      if (socket.readableEnded && !socket.destroyed) socket.write("?")
    }
    isHeld = !socket.destroyed
    socket.destroy()
  }
}

/** Waits for the session to open or, if there was an answer before, for one more answer. Gives up after a while. */
async function nextAnswer(count) {
  const before = count()
  const isAnswered = () => (before > 0 ? count() > before : count() >= 0)
  for (const started = performance.now(); performance.now() - started < ANSWER_MS && !isAnswered();) await pause(5)
}

async function writeOut(socket, bytes, by) {
  if (by === "whole" || bytes.length === 0) {
    if (!socket.destroyed) socket.write(bytes)
    return
  }
  const parts = by === "bytes" ? Math.min(bytes.length, MAX_SINGLE_BYTES) : 1
  const step = by === "bytes" ? 1 : bytes.length >> 1
  for (let part = 0; part < parts && !socket.destroyed; part += 1) {
    socket.write(bytes.subarray(part * step, (part + 1) * step))
    await tick()
  }
  if (!socket.destroyed) socket.write(bytes.subarray(parts * step))
}
