/** The classes that browsers and Node share, declared for the folders that are compiled without the types of either. */
declare class URLSearchParams {
  [Symbol.iterator](): IterableIterator<[name: string, value: string]>
}

declare class URL {
  constructor(url: string | URL, base?: string | URL)
  readonly pathname: string
  readonly searchParams: URLSearchParams
}

declare class AbortSignal {
  readonly aborted: boolean
}

declare class AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}
