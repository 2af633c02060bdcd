import type { Metric } from "./exposition.ts"

/** The questions that a primary asks its workers. */
export interface Questions {
  problems(): readonly string[]
  metrics(): Promise<Metric[]>
}

type Answer<Question extends keyof Questions> = Awaited<ReturnType<Questions[Question]>>

/** A worker process as its primary sees it: a `Worker` of `node:cluster`. */
export interface ReportingWorker {
  readonly id: number
  send(message: unknown, callback: (error: Error | null) => void): boolean
  on(event: "message", listener: (message: unknown) => void): unknown
  off(event: "message", listener: (message: unknown) => void): unknown
}

/** A worker's answer; `undefined` when it did not answer in time. */
export interface WorkerAnswer<Question extends keyof Questions> {
  readonly worker: number
  readonly answer: Answer<Question> | undefined
}

/**
 * The first element of the messages `[TAG, number, question]` and `[TAG, number, answer]`, since other things use the
 * same IPC channel.
 */
const TAG = "rollcall-operations"

/**
 * How long a worker may take to answer, in ms. One whose event loop is blocked does not hold up the report of the
 * others.
 */
const ANSWER_TIMEOUT_MS = 1_000

let questionsAsked = 0

/** Asks all of these workers at once, from their primary. Never rejects. */
export function askWorkers<Question extends keyof Questions>(
  workers: readonly ReportingWorker[],
  question: Question,
): Promise<WorkerAnswer<Question>[]> {
  return Promise.all(
    workers.map(async (worker) => ({
      worker: worker.id,
      answer: (await ask(worker, question)) as Answer<Question> | undefined,
    })),
  )
}

/** Resolves to a worker's answer, or to `undefined` when it does not answer in time or cannot be reached. */
function ask(worker: ReportingWorker, question: keyof Questions): Promise<unknown> {
  const number = (questionsAsked += 1)
  return new Promise((resolve) => {
    const settle = (answer: unknown): void => {
      clearTimeout(timer)
      worker.off("message", onMessage)
      resolve(answer)
    }
    const onMessage = (message: unknown): void => {
      if (Array.isArray(message) && message[0] === TAG && message[1] === number) settle(message[2])
    }
    const timer = setTimeout(settle, ANSWER_TIMEOUT_MS, undefined)
    worker.on("message", onMessage)
    worker.send([TAG, number, question], (error) => error && settle(undefined))
  })
}

/**
 * Answers the primary's questions, in a worker. Returns the undo.
 * @param failed called with the error of a question that could not be answered
 */
export function answerPrimary(questions: Questions, failed: (error: unknown) => void): () => void {
  const sendAnswer = async (number: number, question: keyof Questions): Promise<void> => {
    try {
      const answer = await questions[question]()
      if (process.connected) process.send?.([TAG, number, answer])
    } catch (error) {
      failed(error)
    }
  }
  const onMessage = (message: unknown): void => {
    if (!Array.isArray(message) || message[0] !== TAG) return
    const [, number, question] = message as [string, number, keyof Questions]
    void sendAnswer(number, question)
  }
  process.on("message", onMessage)
  return () => void process.off("message", onMessage)
}
