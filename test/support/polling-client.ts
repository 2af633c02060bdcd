import type { ClientRequest, TestClient } from "../contracts/transport.ts"
import type { Data } from "../../src/wire/message.ts"
import { Inbox } from "./inbox.ts"
import { LongPollClient } from "./longpoll-client.ts"

/** What a client sees of the end of its session. It cannot see the reason. */
export const GONE = "gone"

/** A long-poll client that polls again as soon as it is answered, as real ones do. */
export class PollingClient implements TestClient {
  readonly opened: Promise<unknown>
  readonly #messages = new Inbox<Data>("messages")
  readonly #abortController = new AbortController()
  readonly #end = new Inbox<string>("the end of a session")
  #session: LongPollClient | undefined
  #isReading = true
  #polling: Promise<void> | undefined

  /** @param url `http://127.0.0.1:4000` */
  constructor(url: string, { path, query, headers = {}, authToken }: ClientRequest) {
    const token: Record<string, string> = authToken === undefined ? {} : { "x-phoenix-authtoken": authToken }
    this.opened = this.#open(`${url}${path}/longpoll?${query}`, { ...headers, ...token })
  }

  /** Sends a single text as the whole body, which works in both protocol versions. A batch needs version 2. */
  async send(...frames: readonly Data[]): Promise<void> {
    const [first] = frames
    if (frames.length === 1 && typeof first === "string") await this.#session?.post(first)
    else await this.#session?.batch(...frames.map((data) => (typeof data === "string" ? data : base64(data))))
  }

  next(): Promise<Data> {
    return this.#messages.next()
  }

  /** Stops to poll. Polls are how a long-poll client both reads and shows that it is alive. */
  stopSending(): void {
    this.#isReading = false
  }

  stopReading(): void {
    this.stopSending()
  }

  abort(): void {
    this.stopSending()
    this.#abortController.abort()
  }

  async closed(): Promise<string> {
    await this.#polling
    this.#isReading = true
    this.#polling = this.#poll()
    return this.#end.next()
  }

  async #open(address: string, headers: Record<string, string>): Promise<unknown> {
    const { signal } = this.#abortController
    const response = await fetch(address, { headers, signal }).catch(() => undefined)
    if (response?.status !== 200) return response?.status ?? GONE
    const { status, token } = (await response.json()) as { readonly status: number; readonly token: string }
    if (status !== 410) return status
    this.#session = new LongPollClient(address, token)
    this.#polling = this.#poll()
    return undefined
  }

  async #poll(): Promise<void> {
    const { signal } = this.#abortController
    while (this.#isReading) {
      const answer = await this.#session?.poll({ signal }).catch(() => undefined)
      for (const message of answer?.messages ?? []) this.#messages.put(message)
      if (answer === undefined || answer.status === 410) {
        this.#end.put(GONE)
        return
      }
    }
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")
