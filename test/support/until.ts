/** Resolves once `holds`; the test's own timeout is the limit. For what is seen only by looking again. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2))
}
