import { expect } from "vitest"

/** The JSON in the answer to a long-poll request. */
export interface PollAnswer {
  readonly status: number
  readonly token?: string
  readonly messages?: readonly string[]
}

/** Sends a long-poll request, and checks that its answer is HTTP 200, as it is for every outcome. */
export async function requestLongPoll(url: string, init: RequestInit = {}): Promise<PollAnswer> {
  const response = await fetch(url, init)
  expect(response.status).toBe(200)
  return (await response.json()) as PollAnswer
}

/** A long-poll client with a session. Each method sends one request. */
export class LongPollClient {
  readonly token: string
  readonly #address: string

  /** @param address `http://127.0.0.1:4000/socket/longpoll?vsn=2.0.0` */
  constructor(address: string, token: string) {
    this.#address = address
    this.token = token
  }

  static async open(address: string, headers: Record<string, string> = {}): Promise<LongPollClient> {
    const { token } = await requestLongPoll(address, { headers })
    return new LongPollClient(address, token as string)
  }

  /** Returns a client for the same session that sends its requests to another server. */
  at(address: string): LongPollClient {
    return new LongPollClient(address, this.token)
  }

  poll(init: RequestInit = {}): Promise<PollAnswer> {
    return requestLongPoll(this.#url, init)
  }

  /** Polls, and returns the parsed messages. */
  async messages(): Promise<unknown[]> {
    const { messages = [] } = await this.poll()
    return messages.map((message) => JSON.parse(message) as unknown)
  }

  post(body: string | Uint8Array, type = "application/json"): Promise<PollAnswer> {
    return requestLongPoll(this.#url, { method: "POST", body: body as string, headers: { "content-type": type } })
  }

  /** Posts messages as the lines of one batch. */
  batch(...lines: readonly string[]): Promise<PollAnswer> {
    return this.post(lines.join("\n"), "application/x-ndjson")
  }

  get #url(): string {
    return `${this.#address}&token=${this.token}`
  }
}
