/** Browsers allow about a hundred changes of the address in half a minute: Chrome ignores the others, and Safari throws. */
const MAX_CALLS = 50
const WINDOW_MS = 30_000

/** Returns a function that calls `call`: at once, or after 50 calls in half a minute once for all further ones, when time allows it. */
export function fewCalls(
  call: () => void,
  now: () => number = () => performance.now(),
  setTimer: (call: () => void, ms: number) => unknown = setTimeout,
): () => void {
  let times: number[] = []
  let isWaiting = false
  const send = (): void => {
    isWaiting = false
    times.push(now())
    call()
  }
  return () => {
    if (isWaiting) return
    times = times.filter((time) => now() - time < WINDOW_MS)
    if (times.length < MAX_CALLS) return send()
    isWaiting = true
    setTimer(send, WINDOW_MS - (now() - (times[0] ?? 0)))
  }
}
