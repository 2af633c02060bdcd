import { readFile, stat } from "node:fs/promises"
import { expect, test } from "vitest"

const readme = await readFile("README.md", "utf8")

test("the README has at most 180 lines, and names the two commands", () => {
  expect(readme.split("\n").length).toBeLessThanOrEqual(180)
  expect(readme).toMatch(/^npm install && npm run demo {3}#/m)
  expect(readme).toMatch(/^npm install && npm test {7}#/m)
})

test("the README's pictures are there, for a light and a dark page, and load fast", async () => {
  const pictures = Array.from(readme.matchAll(/(?:src|srcset)="([^"]+)"/g), ([, path]) => path!)
  expect(pictures).toHaveLength(2)
  for (const picture of pictures) expect((await stat(picture)).size, picture).toBeLessThan(1_500_000)
})
