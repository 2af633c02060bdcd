/**
 * Returns a function that runs an asynchronous task at its first call. Every call returns the promise of that run.
 */
export function once<Value>(task: () => Promise<Value>): () => Promise<Value> {
  let run: Promise<Value> | undefined
  return () => (run ??= task())
}
