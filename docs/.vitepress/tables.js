/** Tables that a phone can show and a screen reader can read. */

/** Where a name in a narrow cell may be broken: before a capital letter, and after a sign between two names. */
const BREAKS = /(?<=[a-z0-9])(?=[A-Z])|(?<=[._(,/:])(?=\w)/g

/**
 * A plugin of markdown-it. Code in the cell of a table may be broken between its names, so that the table fits into a phone. An empty
 * heading of a column is a plain cell, because a screen reader would announce a heading without a name.
 * @param {import("markdown-it").default} md
 */
export function useTables(md) {
  md.core.ruler.push("tables", ({ tokens }) => {
    for (const [at, token] of tokens.entries()) {
      if (token.type !== "th_open" && token.type !== "td_open") continue
      const content = tokens[at + 1]
      for (const child of content.children ?? []) if (child.type === "code_inline") child.meta = { isInTable: true }
      if (token.type === "td_open" || content.content !== "") continue
      token.tag = "td"
      tokens[at + 2].tag = "td"
    }
  })
  const render = md.renderer.rules.code_inline
  md.renderer.rules.code_inline = (tokens, at, ...rest) => {
    const html = render(tokens, at, ...rest)
    if (!tokens[at].meta?.isInTable) return html
    return html.replace(/>([^<]+)</, (_, text) => `>${text.replace(BREAKS, "<wbr>")}<`)
  }
}
