/**
 * The clock and the timers that every runtime has, declared for the folders that are compiled without the types of Node
 * and of browsers.
 */
declare const performance: { now(): number }
declare function setTimeout(run: () => void, ms?: number): object
declare function clearTimeout(timer: object): void
declare function queueMicrotask(run: () => void): void
/** Exists in Node, but not in browsers. */
declare const setImmediate: ((run: () => void) => unknown) | undefined
