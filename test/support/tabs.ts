/** The parts of a browser by which tabs of one origin find each other, in memory: locks, channels, a visible page. */
import { setMaxListeners } from "node:events"
import { onTestFinished, vi } from "vitest"

interface Request {
  readonly granted: () => Promise<unknown> | undefined
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

const aborted = (): Error => Object.assign(new Error("aborted"), { name: "AbortError" })

function memoryLocks() {
  const held = new Map<string, Request>()
  const waiting = new Map<string, Request[]>()
  const grant = (name: string): void => {
    const request = held.has(name) ? undefined : waiting.get(name)?.shift()
    if (request) void hold(name, request)
  }
  const hold = async (name: string, request: Request): Promise<void> => {
    held.set(name, request)
    request.resolve(await request.granted())
    if (held.get(name) !== request) return
    held.delete(name)
    grant(name)
  }
  return {
    request(name: string, options: { signal?: AbortSignal; steal?: boolean }, granted: Request["granted"]) {
      return new Promise((resolve, reject) => {
        const request = { granted, resolve, reject }
        if (options.signal?.aborted) return reject(aborted())
        if (options.steal) {
          held.get(name)?.reject(aborted())
          return void hold(name, request)
        }
        const queue = waiting.get(name) ?? []
        waiting.set(name, [...queue, request])
        options.signal?.addEventListener("abort", () => {
          const left = waiting.get(name)!
          if (!left.includes(request)) return
          waiting.set(
            name,
            left.filter((each) => each !== request),
          )
          reject(aborted())
        })
        queueMicrotask(() => grant(name))
      })
    },
  }
}

/** Gives the present test a page at `http://memory`. All tabs are in it. Returns a way to be another script of the origin. */
export function memoryPage() {
  const channels = new Set<MemoryChannel>()
  class MemoryChannel extends EventTarget {
    readonly name: string
    constructor(name: string) {
      super()
      this.name = name
      channels.add(this)
    }
    postMessage(data: unknown): void {
      const copy: unknown = structuredClone(data)
      for (const each of channels) {
        if (each === this || each.name !== this.name) continue
        // Delivered also if the sender is closed meanwhile.
        queueMicrotask(() => channels.has(each) && each.dispatchEvent(new MessageEvent("message", { data: copy })))
      }
    }
    close(): void {
      channels.delete(this)
    }
  }
  const page = new EventTarget()
  const document = Object.assign(new EventTarget(), { hidden: false })
  // Each connection has its listeners.
  setMaxListeners(0, page, document)
  vi.stubGlobal("document", document)
  vi.stubGlobal("navigator", { locks: memoryLocks() })
  vi.stubGlobal("BroadcastChannel", MemoryChannel)
  vi.stubGlobal("origin", "http://memory")
  vi.stubGlobal("location", new URL("http://memory/page"))
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page))
  onTestFinished(() => void vi.unstubAllGlobals())
  return {
    /** The names of the channels that tabs have open. */
    names: (): string[] => [...new Set([...channels].map(({ name }) => name))],
    post(name: string, data: unknown): void {
      const channel = new MemoryChannel(name)
      channel.postMessage(data)
      channel.close()
    },
  }
}
