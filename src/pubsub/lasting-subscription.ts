import { RollcallError } from "../error.ts"
import { setUnref, type Timers } from "../timers.ts"
import type { PubSub, Receive } from "./pubsub.ts"

/** How long after a refusal the engine is asked again, in ms. */
const RETRY_MS = 10_000

/** Bus → topic → why the engine refuses it. */
const refusals = new WeakMap<PubSub, Map<string, string>>()

/** Returns why the engine refuses lasting subscriptions of a node now, one reason for each topic. */
export function lastingRefusals(pubsub: PubSub): readonly string[] {
  return [...(refusals.get(pubsub)?.values() ?? [])]
}

function setRefusal(pubsub: PubSub, topic: string, reason: string | undefined): void {
  const known = refusals.get(pubsub) ?? new Map<string, string>()
  if (reason === undefined) known.delete(topic)
  else refusals.set(pubsub, known.set(topic, reason))
}

/** The options of a lasting subscription. */
export interface LastingSubscriptionOptions {
  readonly timers: Timers
  /** Called once, when the engine has confirmed the subscription. */
  readonly onSubscribed?: () => void
  /** Called with the first error. */
  readonly onError: (error: unknown) => void
}

/**
 * Subscribes to a topic that a node needs as long as it lives. Returns a function that unsubscribes.
 *
 * If the engine refuses the topic, it is asked again every 10 s. Otherwise a node that starts before its user has all
 * permissions would stay blind until its next start, although its engine is connected.
 */
export function subscribeForGood(
  pubsub: PubSub,
  topic: string,
  receive: Receive,
  { timers, onSubscribed, onError }: LastingSubscriptionOptions,
): () => void {
  let timer: unknown
  let undo: (() => void) | undefined
  let isEnded = false
  let isReported = false
  const subscribe = async (): Promise<void> => {
    try {
      const unsubscribe = await pubsub.subscribe(topic, receive)
      if (isEnded) return unsubscribe()
      undo = unsubscribe
    } catch (error) {
      if (isEnded) return
      if (!isReported) onError(error)
      isReported = true
      if (error instanceof RollcallError && error.code === "closed") return setRefusal(pubsub, topic, undefined)
      setRefusal(pubsub, topic, error instanceof Error ? error.message : String(error))
      timer = setUnref(timers, () => void subscribe(), RETRY_MS)
      return
    }
    setRefusal(pubsub, topic, undefined)
    onSubscribed?.()
  }
  void subscribe()
  return () => {
    isEnded = true
    setRefusal(pubsub, topic, undefined)
    timers.clear(timer)
    undo?.()
  }
}
