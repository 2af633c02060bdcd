/** Wraps a callback of the program so that what it throws breaks nothing. */
export function nonThrowing<Argument>(
  callback: ((argument: Argument) => void) | undefined,
): (argument: Argument) => void {
  return (argument) => {
    try {
      callback?.(argument)
    } catch {
      // Errors are reported to this very callback, so its own exceptions cannot be reported anywhere.
    }
  }
}
