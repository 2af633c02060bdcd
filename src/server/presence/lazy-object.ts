/** `console.log` of Node reads what is behind a Proxy, not the Proxy. It calls this method of an object instead, if there is one. */
const INSPECT = Symbol.for("nodejs.util.inspect.custom")

function filledCopy(this: object): object {
  return { ...this }
}

/**
 * Returns a frozen object without a prototype. Its properties are set by `fill` when the object is used for the first time.
 *
 * It is a Proxy, so `structuredClone` and `postMessage` refuse it. Everything else works as with any frozen object.
 */
export function lazyObject<Properties extends object>(fill: (target: Properties) => void): Readonly<Properties> {
  const target = Object.create(null) as Properties & { [INSPECT]?: unknown }
  target[INSPECT] = filledCopy
  return new Proxy<Properties>(target, new FirstUse<Properties>(fill))
}

/** The traps of an object that is not filled yet. Each trap, those for changes included, fills and freezes the object first. */
class FirstUse<Properties extends object> implements ProxyHandler<Properties> {
  readonly #fill: (target: Properties) => void

  constructor(fill: (target: Properties) => void) {
    this.#fill = fill
  }

  get(target: Properties, key: string | symbol): unknown {
    return Reflect.get(this.#filled(target), key)
  }

  has(target: Properties, key: string | symbol): boolean {
    return Reflect.has(this.#filled(target), key)
  }

  ownKeys(target: Properties): (string | symbol)[] {
    return Reflect.ownKeys(this.#filled(target))
  }

  getOwnPropertyDescriptor(target: Properties, key: string | symbol): PropertyDescriptor | undefined {
    return Reflect.getOwnPropertyDescriptor(this.#filled(target), key)
  }

  isExtensible(target: Properties): boolean {
    return Reflect.isExtensible(this.#filled(target))
  }

  preventExtensions(target: Properties): boolean {
    return Reflect.preventExtensions(this.#filled(target))
  }

  set(target: Properties, key: string | symbol, value: unknown): boolean {
    return Reflect.set(this.#filled(target), key, value)
  }

  defineProperty(target: Properties, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    return Reflect.defineProperty(this.#filled(target), key, descriptor)
  }

  deleteProperty(target: Properties, key: string | symbol): boolean {
    return Reflect.deleteProperty(this.#filled(target), key)
  }

  setPrototypeOf(target: Properties, prototype: object | null): boolean {
    return Reflect.setPrototypeOf(this.#filled(target), prototype)
  }

  #filled(target: Properties & { [INSPECT]?: unknown }): Properties {
    delete target[INSPECT]
    this.#fill(target)
    // Without traps, further uses go directly to the target, which makes reading a large object several times as fast.
    Object.setPrototypeOf(this, null)
    return Object.freeze(target)
  }
}
