// The lines of CHANGELOG.md: what a changeset says, without the hash of its commit.
module.exports = {
  getReleaseLine: async ({ summary }) => {
    const [first, ...more] = summary.trim().split("\n")
    return `- ${[first, ...more.map((line) => (line === "" ? "" : `  ${line}`))].join("\n")}`
  },
  getDependencyReleaseLine: async () => "",
}
