/**
 * Runs jobs, a few at a time. Of those that wait, the latest comes first. If the oldest came first, a worker with too much
 * to do would run only jobs that have waited for so long that their callers give up before they are done.
 */
export interface JobQueue {
  /** The jobs that run or wait. */
  readonly size: number
  /** Runs a job when it is its turn. Rejects with the signal's reason if the caller gives up before. */
  run(job: () => Promise<void>, signal: AbortSignal | undefined): Promise<void>
}

export function createJobQueue(atATime: number): JobQueue {
  const waiting: (() => void)[] = []
  let running = 0

  const turn = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener("abort", giveUp)
        running += 1
        resolve()
      }
      const giveUp = (): void => {
        waiting.splice(waiting.indexOf(begin), 1)
        reject(signal?.reason)
      }
      if (running < atATime) return begin()
      waiting.push(begin)
      signal?.addEventListener("abort", giveUp, { once: true })
    })

  return {
    get size() {
      return running + waiting.length
    },
    async run(job, signal) {
      signal?.throwIfAborted()
      await turn(signal)
      try {
        await job()
      } finally {
        running -= 1
        waiting.pop()?.()
      }
    },
  }
}
