/** The value of a payload that has not been parsed yet. */
const UNREAD = Symbol("unread")

/**
 * The payload of a message on its way to any number of clients: encoded at most once for each encoding, and parsed only
 * where a handler asks for its value.
 *
 * Serializers read it. Those of JSON take `json`, or `binary` where the payload is bytes; any other takes `encoded` with an
 * encoding of its own. Every client gets the value that `JSON.stringify` writes, whatever its serializer: a `Date` is a
 * string in every encoding, and on every node.
 */
export class Payload {
  /** The bytes of a binary message; `undefined` for a payload that is JSON. */
  readonly binary: Uint8Array | undefined
  /** `json` as UTF-8. A transport that needs it stores it here, so that it is made once. */
  bytes?: Uint8Array

  readonly #parse: (() => unknown) | undefined
  readonly #stringify: (() => string) | undefined
  #value: unknown
  #json: string | undefined
  #encodings: Map<object, unknown> | undefined

  private constructor(value: unknown, json?: string, parse?: () => unknown, stringify?: () => string) {
    this.binary = value instanceof Uint8Array ? value : undefined
    this.#value = value
    this.#json = json
    this.#parse = parse
    this.#stringify = stringify
  }

  /** A payload from a handler: a JSON value, or bytes. It is not copied: encode it before the handler can change it. */
  static of(value: unknown): Payload {
    return new Payload(value)
  }

  /** A payload whose value is known to be exactly what parsing its JSON gives: no `Date`, no `undefined` inside. */
  static plain(value: unknown): Payload {
    return new Payload(value, undefined, () => value)
  }

  /** A payload that arrives as JSON text, from another node. Reading its value throws SyntaxError when the text is not JSON. */
  static fromJson(text: string): Payload {
    return new Payload(UNREAD, text, () => JSON.parse(text) as unknown)
  }

  /**
   * A payload whose two forms are expensive to make: each is made when it is first needed.
   * @param value makes the value, which must be exactly what parsing the JSON gives
   */
  static lazy(value: () => unknown, json: () => string): Payload {
    return new Payload(UNREAD, undefined, value, json)
  }

  /** The payload as a handler receives it. @throws SyntaxError when it arrived as text that is not JSON */
  get value(): unknown {
    if (this.#value === UNREAD) this.#value = this.#parse?.()
    return this.#value
  }

  /** The payload as JSON text, `null` for `undefined`. @throws TypeError when it is not a JSON value (a cycle, a BigInt) */
  get json(): string {
    this.#json ??= this.#stringify === undefined ? (JSON.stringify(this.#value) ?? "null") : this.#stringify()
    return this.#json
  }

  /**
   * Returns the payload itself. Throws for one that only some encodings could write, whichever are needed now.
   * @throws TypeError when it is neither bytes nor a JSON value
   */
  checked(): this {
    if (this.binary === undefined) void this.json
    return this
  }

  /** `json`, by the name that `SharedText` of the transports has for it. */
  get text(): string {
    return this.json
  }

  /**
   * Returns the payload in another encoding, made once for each `encode`: pass the same function each time.
   * @param encode gets a JSON value, or the bytes of a binary message
   * @throws TypeError when the payload is not a JSON value, SyntaxError as `value`, and what `encode` throws
   */
  encoded<Encoded>(encode: (value: unknown) => Encoded): Encoded {
    this.#encodings ??= new Map()
    if (!this.#encodings.has(encode)) this.#encodings.set(encode, encode(this.#plainValue()))
    return this.#encodings.get(encode) as Encoded
  }

  /** The value as JSON has it: a handler's own object may hold what JSON writes differently. */
  #plainValue(): unknown {
    const isPlain = this.#parse !== undefined || this.binary !== undefined
    return isPlain ? this.value : (JSON.parse(this.json) as unknown)
  }
}
