/** An index of the nodes on a bus by the topics to which they subscribe. It finds the nodes that a message goes to. */
export class SubscriberIndex<Peer> {
  readonly #peers = new Map<string, Peer>()
  readonly #byTopic = new Map<string, Map<string, Peer>>()
  /** The topics of each node, so that the cost of removing a node depends on its own subscriptions only. */
  readonly #byNode = new Map<string, Set<string>>()

  /** Adds a node; returns `false` if its name is taken. */
  add(node: string, peer: Peer): boolean {
    if (this.#peers.has(node)) return false
    this.#peers.set(node, peer)
    this.#byNode.set(node, new Set())
    return true
  }

  /** Removes a node and its subscriptions. */
  remove(node: string): void {
    for (const topic of this.#byNode.get(node) ?? []) this.unsubscribe(node, topic)
    this.#byNode.delete(node)
    this.#peers.delete(node)
  }

  subscribe(node: string, topic: string): void {
    const peer = this.#peers.get(node)
    if (peer === undefined) return
    const subscribers = this.#byTopic.get(topic) ?? new Map<string, Peer>()
    this.#byTopic.set(topic, subscribers.set(node, peer))
    this.#byNode.get(node)?.add(topic)
  }

  unsubscribe(node: string, topic: string): void {
    const subscribers = this.#byTopic.get(topic)
    if (subscribers?.delete(node) && subscribers.size === 0) this.#byTopic.delete(topic)
    this.#byNode.get(node)?.delete(topic)
  }

  /** Returns the nodes that subscribe to `topic`. */
  subscribers(topic: string): Iterable<readonly [node: string, peer: Peer]> {
    return this.#byTopic.get(topic) ?? []
  }

  /** Returns the node of that name if it subscribes to `topic`. */
  subscriber(node: string, topic: string): Peer | undefined {
    return this.#byTopic.get(topic)?.get(node)
  }

  /** Returns all nodes, with and without subscriptions. */
  peers(): Iterable<readonly [node: string, peer: Peer]> {
    return this.#peers
  }
}

/** One index for each namespace, so that no message crosses from one namespace to another. */
export class NamespacedIndexes<Peer> {
  readonly #indexes = new Map<string, SubscriberIndex<Peer>>()

  /** Returns the index of a namespace, and creates it at the first call. */
  of(namespace: string): SubscriberIndex<Peer> {
    const index = this.#indexes.get(namespace) ?? new SubscriberIndex<Peer>()
    this.#indexes.set(namespace, index)
    return index
  }
}
