import cluster from "node:cluster"
import type { Metric } from "./exposition.ts"

/** What a primary asks its workers. */
export interface Questions {
  problems(): readonly string[]
  metrics(): Promise<Metric[]>
}

type Answer<Question extends keyof Questions> = Awaited<ReturnType<Questions[Question]>>

/** What one worker has answered; `undefined` when it has not, in time. */
export interface Answered<Question extends keyof Questions> {
  readonly worker: number
  readonly answer: Answer<Question> | undefined
}

/** `[TAG, number, question]` and `[TAG, number, answer]`: an IPC channel carries other things as well. */
const TAG = "rollcall-operations"

/** A worker whose event loop stands still does not hold up what there is to be said of the others. */
const PATIENCE_MS = 1_000

const waiting = new Map<number, (answer: unknown) => void>()
let asked = 0

/** RelayClient all workers at once. For the primary. */
export function askWorkers<Question extends keyof Questions>(question: Question): Promise<Answered<Question>[]> {
  if (asked === 0) cluster.on("message", onAnswer)
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  return Promise.all(
    workers.map(async (worker) => {
      const number = (asked += 1)
      const answer = await new Promise<unknown>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS)
        waiting.set(number, (answer) => {
          clearTimeout(timer)
          resolve(answer)
        })
        worker.send([TAG, number, question], (error: Error | null) => error && waiting.get(number)?.(undefined))
      })
      waiting.delete(number)
      return { worker: worker.id, answer: answer as Answer<Question> | undefined }
    }),
  )
}

function onAnswer(_worker: unknown, message: unknown): void {
  if (Array.isArray(message) && message[0] === TAG) waiting.get(message[1] as number)?.(message[2])
}

/** Answers the primary's questions, from a worker. Returns the end of it. */
export function answerPrimary(questions: Questions, failed: (error: unknown) => void): () => void {
  const hear = async (message: unknown): Promise<void> => {
    if (!Array.isArray(message) || message[0] !== TAG) return
    const [, number, question] = message as [string, number, keyof Questions]
    try {
      const answer = await questions[question]()
      if (process.connected) process.send?.([TAG, number, answer])
    } catch (error) {
      failed(error)
    }
  }
  process.on("message", hear)
  return () => void process.off("message", hear)
}
