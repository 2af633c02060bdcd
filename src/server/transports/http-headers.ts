/** The `cache-control` header of every answer without another one (recorded case 12): no cache may reuse the answer. */
export const UNCACHED = { "cache-control": "max-age=0, private, must-revalidate" }
