/**
 * A payload on its way to any number of clients: encoded at most once for each encoding, and parsed only where a handler
 * asks for its value.
 *
 * Serializers read it: those of JSON by `json`, any other by `encoded`, with an encoding of its own.
 */
export class Payload {
  readonly #value: () => unknown
  readonly #json: () => string
  #parsed: { readonly value: unknown } | undefined
  #text: string | undefined
  #encodings: Map<object, unknown> | undefined
  /** The JSON as UTF-8. A transport that needs it keeps it here, so that it is made once. */
  bytes?: Uint8Array

  private constructor(value: () => unknown, json: () => string) {
    this.#value = value
    this.#json = json
  }

  /** A payload from a handler: a JSON value, or bytes. */
  static of(value: unknown): Payload {
    return new Payload(
      () => value,
      () => JSON.stringify(value) ?? "null",
    )
  }

  /** A payload that is known as JSON text, as it comes from another node. */
  static fromJson(text: string): Payload {
    return new Payload(
      () => JSON.parse(text) as unknown,
      () => text,
    )
  }

  /** A payload whose two forms cost something to make: each is made when it is first asked for. */
  static lazy(value: () => unknown, json: () => string): Payload {
    return new Payload(value, json)
  }

  get value(): unknown {
    this.#parsed ??= { value: this.#value() }
    return this.#parsed.value
  }

  /** The payload as JSON text. @throws TypeError when it is no JSON value (a cycle, a BigInt) */
  get json(): string {
    this.#text ??= this.#json()
    return this.#text
  }

  /** The payload in another encoding, made once; `encode` is also its name. */
  encoded<Encoded>(encode: (value: unknown) => Encoded): Encoded {
    this.#encodings ??= new Map()
    if (!this.#encodings.has(encode)) this.#encodings.set(encode, encode(this.value))
    return this.#encodings.get(encode) as Encoded
  }
}
