/**
 * Returns a function that runs an asynchronous task at its first call, and returns that run's promise at every call.
 */
export function once<Value>(task: () => Promise<Value>): () => Promise<Value> {
  let run: Promise<Value> | undefined
  return () => (run ??= task())
}
