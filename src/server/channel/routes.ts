import { checkTopicPattern } from "../../topic-pattern.ts"

/** Finds the target, such as handlers, for a topic. A pattern is a topic, or a prefix and `*`. The first match wins (P11). */
export class Routes<Target> {
  readonly #routes: {
    readonly pattern: string
    readonly matches: (topic: string) => boolean
    readonly target: Target
  }[] = []
  readonly #unmatched: (topic: string) => void

  /** @param unmatched called with each topic that no pattern matches */
  constructor(unmatched: (topic: string) => void = () => {}) {
    this.#unmatched = unmatched
  }

  /** All patterns, in the order of preference. */
  get patterns(): readonly string[] {
    return this.#routes.map(({ pattern }) => pattern)
  }

  /** Adds a pattern. @throws ConfigError when `*` is anywhere but at the end */
  add(pattern: string, target: Target): void {
    const isPrefix = checkTopicPattern(pattern)
    const prefix = pattern.slice(0, -1)
    const matches = isPrefix ? (topic: string) => topic.startsWith(prefix) : (topic: string) => topic === pattern
    this.#routes.push({ pattern, matches, target })
  }

  /** Returns the target of the first pattern that matches, or `undefined`. */
  match(topic: string): Target | undefined {
    const route = this.#routes.find((route) => route.matches(topic))
    if (route === undefined) this.#unmatched(topic)
    return route?.target
  }
}
