// Plays an attack on raw TCP connections.
import { connect } from "node:net"

/** How long the server may take to be rid of a connection that does nothing any more: its idle timeout, and a goodbye. */
const PATIENCE_MS = 9_000
/** How long a step waits for the answer that it expects, and how many bytes are written one by one. */
const ANSWER_MS = 300
const MOST_SINGLE_BYTES = 300

const PROBE_MS = 300
/** On a busy machine things take longer; what is never let go of is found out all the same. */
const PROBES = 40

const turn = () => new Promise((resolve) => setImmediate(resolve))
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Plays an attack. How it ends is the server's affair; but end it must.
 *
 * @returns resolves when the script is done; `gone` resolves when all its connections have ended, with how many the
 * server had to be relieved of
 */
export async function play({ lines }, port) {
  const session = { token: "" }
  const played = await Promise.all(lines.map((line) => playLine(line, port, session)))
  const gone = Promise.all(played.map(({ gone }) => gone))
  return { gone: gone.then((held) => held.filter(Boolean).length) }
}

async function playLine({ steps, deaf, ending }, port, session) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
  let held = false
  const gone = new Promise((resolve) => socket.once("close", () => resolve(held)))
  socket.on("error", () => undefined)
  let answers = 0
  if (deaf) socket.pause()
  else {
    socket.on("data", (data) => {
      answers += 1
      session.token = /"token":"([^"]+)"/.exec(data.toString("latin1"))?.[1] ?? session.token
    })
  }
  for (const { write, by, expects } of steps) {
    if (expects === true) await answered(() => (session.token === "" ? -1 : answers))
    const bytes = typeof write === "string" ? Buffer.from(write.replaceAll("{token}", session.token)) : write
    await writeOut(socket, bytes, by)
    if (socket.destroyed) break
  }
  if (ending === "fin") socket.end()
  else if (ending === "reset") socket.resetAndDestroy()
  const late = setTimeout(() => void probe(), PATIENCE_MS)
  void gone.then(() => clearTimeout(late))
  return { gone }

  /**
   * By now the server is to have let go, also where only its side was closed: what is written then is answered with a
   * reset, which the next write comes to know.
   */
  async function probe() {
    socket.resume()
    for (let writes = 0; writes < PROBES && !socket.destroyed; writes += 1) {
      await pause(PROBE_MS)
      if (socket.readableEnded && !socket.destroyed) socket.write("?")
    }
    held = !socket.destroyed
    socket.destroy()
  }
}

/** Waits until there is a session, and, once there was an answer, one more. */
async function answered(count) {
  const before = count()
  const isAnswered = () => (before > 0 ? count() > before : count() >= 0)
  for (const started = performance.now(); performance.now() - started < ANSWER_MS && !isAnswered();) await pause(5)
}

async function writeOut(socket, bytes, by) {
  if (by === "whole" || bytes.length === 0) {
    if (!socket.destroyed) socket.write(bytes)
    return
  }
  const parts = by === "bytes" ? Math.min(bytes.length, MOST_SINGLE_BYTES) : 1
  const step = by === "bytes" ? 1 : bytes.length >> 1
  for (let part = 0; part < parts && !socket.destroyed; part += 1) {
    socket.write(bytes.subarray(part * step, (part + 1) * step))
    await turn()
  }
  if (!socket.destroyed) socket.write(bytes.subarray(parts * step))
}
