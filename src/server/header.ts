/** The value of a header that is sent once; the first one of a header that Node gives as a list. */
export const singleHeader = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header[0] : header
