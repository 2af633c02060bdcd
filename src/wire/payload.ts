import { RollcallError } from "../error.ts"
import { opaqueKind } from "../opaque.ts"

/** The value of a payload that has not been parsed yet. */
const UNREAD = Symbol("unread")

/**
 * The payload of a message to any number of clients. It is encoded at most once for each encoding, and parsed only if a
 * handler reads its value.
 *
 * A serializer that writes JSON reads `json`, or `binary` if the payload is bytes. Any other serializer calls `encoded` with
 * its own encoding. Every client gets the value that `JSON.stringify` writes, whatever its serializer: a `Date` is a string
 * in every encoding, and on every node.
 */
export class Payload {
  /** The bytes of a binary message; `undefined` for a payload that is JSON. */
  readonly binary: Uint8Array | undefined
  /** `json` as UTF-8. The first transport that needs it stores it here for the others. */
  bytes?: Uint8Array
  /** `json` in pieces, for the transports that compress it: see `SharedText`. */
  pieces?: (() => readonly { readonly text: string }[]) | undefined

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

  /**
   * Returns a payload for a handler's value: a JSON value, or bytes. The value is not copied, so encode it before the
   * handler can change it.
   */
  static of(value: unknown): Payload {
    return new Payload(value)
  }

  /** Returns a payload whose value equals what parsing its JSON gives: there is no `Date` and no `undefined` in it. */
  static plain(value: unknown): Payload {
    return new Payload(value, undefined, () => value)
  }

  /**
   * Returns a payload for JSON text from another node. Reading its value throws SyntaxError if the text is not JSON.
   */
  static fromJson(text: string): Payload {
    return new Payload(UNREAD, text, () => JSON.parse(text) as unknown)
  }

  /**
   * Returns a payload whose value and JSON are expensive to make: each is made when it is first needed.
   * @param value makes the value, which must equal what parsing the JSON gives
   */
  static lazy(value: () => unknown, json: () => string): Payload {
    return new Payload(UNREAD, undefined, value, json)
  }

  /** The value, as a handler receives it. @throws SyntaxError if the payload arrived as text that is not JSON */
  get value(): unknown {
    if (this.#value === UNREAD) this.#value = this.#parse?.()
    return this.#value
  }

  /**
   * The payload as JSON text, `null` for `undefined`.
   * @throws TypeError when it is not a JSON value (a cycle, a BigInt); RollcallError `bad_payload` when JSON writes `{}` for it
   * or for something in it that is no plain object, such as a Blob or a Map: its content would be lost
   */
  get json(): string {
    this.#json ??= this.#write()
    return this.#json
  }

  #write(): string {
    if (this.#stringify !== undefined) return this.#stringify()
    // A value that equals what parsing its JSON gives contains no Map and the like.
    return this.#parse === undefined ? writeJson(this.#value) : JSON.stringify(this.#value)
  }

  /**
   * Checks that every encoding can write the payload, also those that are not needed now. Returns the payload itself.
   * @throws TypeError if it is neither bytes nor a JSON value
   */
  checked(): this {
    if (this.binary === undefined) void this.json
    return this
  }

  /** The same as `json`, under the name in the transports' interface `SharedText`. */
  get text(): string {
    return this.json
  }

  /**
   * Returns the payload in another encoding. The result is kept for each `encode`, so pass the same function each time.
   * @param encode gets a JSON value, or the bytes of a binary message
   * @throws TypeError when the payload is not a JSON value, SyntaxError as `value`, and what `encode` throws
   */
  encoded<Encoded>(encode: (value: unknown) => Encoded): Encoded {
    this.#encodings ??= new Map()
    if (!this.#encodings.has(encode)) this.#encodings.set(encode, encode(this.#plainValue()))
    return this.#encodings.get(encode) as Encoded
  }

  /**
   * The value that parsing the JSON gives. It may differ from a handler's value, in which a `Date` is not yet a string.
   */
  #plainValue(): unknown {
    const isPlain = this.#parse !== undefined || this.binary !== undefined
    return isPlain ? this.value : (JSON.parse(this.json) as unknown)
  }
}

function writeJson(value: unknown): string {
  const json = JSON.stringify(value) ?? "null"
  const kind = opaqueKind(value, json)
  if (kind === undefined) return json
  const expected = "expected a payload that is a plain object, another JSON value or a Uint8Array"
  throw new RollcallError(
    "bad_payload",
    `${expected}, got ${json === "{}" ? "" : "one with "}a ${kind}, which JSON writes as {}`,
  )
}
