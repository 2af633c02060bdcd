/** Returns the value of a header that is meant to be sent once. If Node gives it as a list, returns the first value. */
export const singleHeader = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header[0] : header
