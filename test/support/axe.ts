import axe from "axe-core"
import type { Page } from "playwright"

/** Returns what axe finds on a page, each as its rule and the element: nothing on an accessible page. */
export async function axeViolations(page: Page): Promise<string[]> {
  // Without motion: a text that fades in has little contrast for an instant.
  await page.emulateMedia({ reducedMotion: "reduce" })
  await page.addScriptTag({ content: axe.source })
  return page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run()
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    )
  })
}
