/** A clock and timers, as every runtime has them: for the folders that are compiled without the types of Node and of browsers. */
declare const performance: { now(): number }
declare function setTimeout(run: () => void, ms?: number): object
declare function clearTimeout(timer: object): void
declare function queueMicrotask(run: () => void): void
/** Node has it, browsers do not. */
declare const setImmediate: ((run: () => void) => unknown) | undefined
