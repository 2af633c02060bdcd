import { ConfigError } from "../../error.ts"

/** Topic patterns to what serves them: an exact topic, or a prefix and `*` at the end; the first match wins (P11). */
export class Routes<Target> {
  readonly #routes: { readonly matches: (topic: string) => boolean; readonly target: Target }[] = []

  /** @throws ConfigError when `*` stands anywhere but at the end */
  add(pattern: string, target: Target): void {
    const star = pattern.indexOf("*")
    if (star !== -1 && star !== pattern.length - 1) {
      throw new ConfigError(`expected a topic, or a prefix and "*" at its end, got "${pattern}"`)
    }
    const prefix = pattern.slice(0, -1)
    const matches = star === -1 ? (topic: string) => topic === pattern : (topic: string) => topic.startsWith(prefix)
    this.#routes.push({ matches, target })
  }

  match(topic: string): Target | undefined {
    return this.#routes.find((route) => route.matches(topic))?.target
  }
}
