/** Runs jobs, a few at a time. The others wait in order. */
export interface JobQueue {
  /** The jobs that run or wait. */
  readonly size: number
  /** Runs a job after those before it. Rejects with the signal's reason if the caller gives up before it begins. */
  run(job: () => Promise<void>, signal: AbortSignal | undefined): Promise<void>
}

export function createJobQueue(atATime: number): JobQueue {
  const waiting = new Set<() => void>()
  let running = 0

  const turn = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener("abort", giveUp)
        running += 1
        resolve()
      }
      const giveUp = (): void => {
        waiting.delete(begin)
        reject(signal?.reason)
      }
      if (running < atATime) return begin()
      waiting.add(begin)
      signal?.addEventListener("abort", giveUp, { once: true })
    })

  return {
    get size() {
      return running + waiting.size
    },
    async run(job, signal) {
      signal?.throwIfAborted()
      await turn(signal)
      try {
        await job()
      } finally {
        running -= 1
        const [next] = waiting
        if (next !== undefined) {
          waiting.delete(next)
          next()
        }
      }
    },
  }
}
