import { expect, it } from "vitest"
import { createJobQueue } from "../../demo/services/job-queue.ts"

/** A job that runs until it is ended. */
function job(): { run(): Promise<void>; end(): void; readonly hasBegun: boolean } {
  let end!: () => void
  const ended = new Promise<void>((resolve) => (end = resolve))
  let hasBegun = false
  return {
    run: () => {
      hasBegun = true
      return ended
    },
    end: () => end(),
    get hasBegun() {
      return hasBegun
    },
  }
}

it("runs so many jobs at a time, and then the latest of those that wait", async () => {
  const queue = createJobQueue(2)
  const jobs = [job(), job(), job(), job()]
  const runs = jobs.map((each) => queue.run(each.run, undefined))
  await Promise.resolve()
  expect(jobs.map(({ hasBegun }) => hasBegun)).toEqual([true, true, false, false])
  expect(queue.size).toBe(4)
  jobs[0]?.end()
  await runs[0]
  await Promise.resolve()
  expect(jobs.map(({ hasBegun }) => hasBegun)).toEqual([true, true, false, true])
  for (const each of jobs) each.end()
  await Promise.all(runs)
  expect(queue.size).toBe(0)
})

it("drops a waiting job whose caller gives up, and goes on with the others", async () => {
  const queue = createJobQueue(1)
  const [running, abandoned, waiting] = [job(), job(), job()]
  const caller = new AbortController()
  const runs = [
    queue.run(running.run, undefined),
    queue.run(abandoned.run, caller.signal),
    queue.run(waiting.run, undefined),
  ]
  caller.abort(new Error("too late"))
  await expect(runs[1]).rejects.toThrow("too late")
  expect(queue.size).toBe(2)
  running.end()
  waiting.end()
  await Promise.all([runs[0], runs[2]])
  expect([abandoned.hasBegun, queue.size]).toEqual([false, 0])
})

it("goes on after a job that fails", async () => {
  const queue = createJobQueue(1)
  const failing = queue.run(() => Promise.reject(new Error("no page")), undefined)
  const next = queue.run(() => Promise.resolve(), undefined)
  await expect(failing).rejects.toThrow("no page")
  await next
  expect(queue.size).toBe(0)
})
