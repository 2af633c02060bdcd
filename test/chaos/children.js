/**
 * The child processes of the chaos. All of them end when this process does, in whatever way: each is the leader of a process
 * group, and the group is ended by its id, paused processes included.
 */
import { fork } from "node:child_process"

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set()

/**
 * Starts a program of this folder in a process group of its own.
 *
 * @param {string} program
 * @param {object} options
 */
export function start(program, options) {
  const child = fork(new URL(program, import.meta.url), [JSON.stringify(options)], { detached: true })
  running.add(child)
  child.once("exit", () => {
    // Workers may outlive their primary, if they are paused.
    signalGroup(child, "SIGKILL")
    running.delete(child)
  })
  child.on("error", () => undefined)
  return child
}

/** Ends a child and its group at once. */
export function end(child) {
  signalGroup(child, "SIGKILL")
}

export const ended = (child) =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", resolve))

/** Resolves to the next message of a child that `matches`. @returns {Promise<any>} */
export function nextMessage(child, matches) {
  return new Promise((resolve, reject) => {
    const stop = () => child.off("message", onMessage).off("exit", onExit)
    const onMessage = (message) => {
      if (!matches(message)) return
      stop()
      resolve(message)
    }
    const onExit = (code, signal) => {
      stop()
      reject(new Error(`a child ended with ${signal ?? code} before it answered`))
    }
    child.on("message", onMessage).on("exit", onExit)
  })
}

export function signal(pid, name) {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false
  }
}

function signalGroup(child, name) {
  if (child.pid !== undefined) signal(-child.pid, name)
}

process.once("exit", () => {
  for (const child of running) end(child)
})
for (const [name, code] of /** @type {const} */ ([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
])) {
  process.once(name, () => process.exit(code))
}
