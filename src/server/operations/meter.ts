/**
 * Receives every count and every size when it is made. `metrics.ts` lists the names; a transport that is not part of
 * this package may add counters of its own. A meter that throws is not called again.
 */
export interface Meter {
  count(name: string, by: number): void
  /** Records a size. */
  observe?(name: string, value: number): void
}
