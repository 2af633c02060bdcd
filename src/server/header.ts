/** Returns the value of a header that should occur once. If Node passes a list, returns the first value. */
export const singleHeader = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header[0] : header
