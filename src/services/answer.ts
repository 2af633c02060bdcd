import type { Instance } from "./instance-row.ts"

/** One answer of `callAll`: what an instance answered, or why it did not. */
export type Answer<Output = unknown> =
  | { readonly instance: Instance; readonly value: Output; readonly error?: undefined }
  | { readonly instance: Instance; readonly error: unknown; readonly value?: undefined }
