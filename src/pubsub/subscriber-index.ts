/** Who listens to what: the index by which whoever stands in the middle finds the nodes that want a message. */
export class SubscriberIndex<Peer> {
  readonly #peers = new Map<string, Peer>()
  readonly #topics = new Map<string, Map<string, Peer>>()
  /** Node → its topics, so that a node's leaving costs what it listened to, not what everybody does. */
  readonly #listening = new Map<string, Set<string>>()

  /** Takes in a node; `false` if its name is taken. */
  join(node: string, peer: Peer): boolean {
    if (this.#peers.has(node)) return false
    this.#peers.set(node, peer)
    this.#listening.set(node, new Set())
    return true
  }

  /** Forgets a node and all it listens to. */
  leave(node: string): void {
    for (const topic of this.#listening.get(node) ?? []) this.unlisten(node, topic)
    this.#listening.delete(node)
    this.#peers.delete(node)
  }

  listen(node: string, topic: string): void {
    const peer = this.#peers.get(node)
    if (peer === undefined) return
    const peers = this.#topics.get(topic) ?? new Map<string, Peer>()
    this.#topics.set(topic, peers.set(node, peer))
    this.#listening.get(node)?.add(topic)
  }

  unlisten(node: string, topic: string): void {
    const peers = this.#topics.get(topic)
    if (peers?.delete(node) && peers.size === 0) this.#topics.delete(topic)
    this.#listening.get(node)?.delete(topic)
  }

  /** The nodes that listen to `topic`. */
  listeners(topic: string): Iterable<readonly [node: string, peer: Peer]> {
    return this.#topics.get(topic) ?? []
  }

  /** The node of that name if it listens to `topic`. */
  listener(node: string, topic: string): Peer | undefined {
    return this.#topics.get(topic)?.get(node)
  }

  /** All nodes. */
  peers(): Iterable<readonly [node: string, peer: Peer]> {
    return this.#peers
  }
}

/** A hub for each namespace; namespaces never meet. */
export class NamespacedIndexes<Peer> {
  readonly #hubs = new Map<string, SubscriberIndex<Peer>>()

  /** The hub of one namespace, made when first asked for. */
  of(namespace: string): SubscriberIndex<Peer> {
    const hub = this.#hubs.get(namespace) ?? new SubscriberIndex<Peer>()
    this.#hubs.set(namespace, hub)
    return hub
  }
}
