import { expect } from "vitest"

/** What a long poll's body says. */
export interface PollAnswer {
  readonly status: number
  readonly token?: string
  readonly messages?: readonly string[]
}

/** RelayClient a long poll; whatever happened, the answer is HTTP 200. */
export async function askLongPoll(url: string, init: RequestInit = {}): Promise<PollAnswer> {
  const response = await fetch(url, init)
  expect(response.status).toBe(200)
  return (await response.json()) as PollAnswer
}

/** A client with a session, at the level of requests: it polls when it is told to, and may go to any server. */
export class LongPollClient {
  readonly token: string
  readonly #address: string

  /** @param address `http://127.0.0.1:4000/socket/longpoll?vsn=2.0.0` */
  constructor(address: string, token: string) {
    this.#address = address
    this.token = token
  }

  static async open(address: string, headers: Record<string, string> = {}): Promise<LongPollClient> {
    const { token } = await askLongPoll(address, { headers })
    return new LongPollClient(address, token as string)
  }

  /** The same session, asked for at another server. */
  at(address: string): LongPollClient {
    return new LongPollClient(address, this.token)
  }

  poll(init: RequestInit = {}): Promise<PollAnswer> {
    return askLongPoll(this.#url, init)
  }

  /** The messages that are there, as they are. */
  async messages(): Promise<unknown[]> {
    const { messages = [] } = await this.poll()
    return messages.map((message) => JSON.parse(message) as unknown)
  }

  post(body: string | Uint8Array, type = "application/json"): Promise<PollAnswer> {
    return askLongPoll(this.#url, { method: "POST", body: body as string, headers: { "content-type": type } })
  }

  batch(...lines: readonly string[]): Promise<PollAnswer> {
    return this.post(lines.join("\n"), "application/x-ndjson")
  }

  get #url(): string {
    return `${this.#address}&token=${this.token}`
  }
}
