import { createRequire } from "node:module"
import type { Page } from "playwright"

const path = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

/** Returns what axe finds on a page, each as its rule and the elements: none on a page that is accessible to it. */
export async function axeViolations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path })
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }> }
    }
    const { violations } = await axe.run()
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    )
  })
}
