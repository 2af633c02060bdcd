/**
 * A plugin of markdown-it for pages that are not written for Vue: `{{ name }}` in a text or in inline code stays as it is.
 * Vue would evaluate it, and the page would fail when it is rendered.
 * @param {import("markdown-it").default} md
 */
export function useBraces(md) {
  for (const rule of ["text", "code_inline"]) {
    const render = md.renderer.rules[rule]
    md.renderer.rules[rule] = (...args) => render(...args).replaceAll("{{", "&#123;&#123;")
  }
}
