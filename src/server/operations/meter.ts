/** Receives every count and size as it is made; `metrics.ts` lists the names. A meter that throws is not called again. */
export interface Meter {
  count(name: string, by: number): void
  /** Records a size. */
  observe?(name: string, value: number): void
}
