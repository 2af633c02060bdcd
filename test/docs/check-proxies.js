/** Has the proxies that are installed check the configurations that the pages show. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The pages with a block of each language. */
const BLOCKS = {
  nginx: ["cluster", "running-in-production"],
  haproxy: ["running-in-production"],
  caddy: ["running-in-production"],
}

/** @param {string[]} faults gets what is wrong */
export function checkProxies(faults) {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-proxies-"))
  const [key, certificate] = [join(folder, "key"), join(folder, "certificate")]
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=app.example"]
  execFileSync("openssl", [...request, "-keyout", key, "-out", certificate], { stdio: "ignore" })
  const both = join(folder, "both.pem")
  writeFileSync(both, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"))

  /** What makes a file of a block, and has the proxy check it. */
  const CHECKS = {
    nginx: {
      whole: (text) => {
        const server = text
          .replace(/(certificate) .*;/, `$1 ${certificate};`)
          .replace(/(certificate_key) .*;/, `$1 ${key};`)
        return `pid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp { access_log off;\n${server} }\n`
      },
      command: (file) => ["-t", "-q", "-c", file],
    },
    haproxy: {
      whole: (text) => text.replace(/crt \S+/, `crt ${both}`),
      command: (file) => ["-c", "-q", "-f", file],
    },
    caddy: {
      // Caddy knows this setting from 2.7 on, and Debian's is older.
      whole: (text) => text.replace(/ *stream_close_delay .*\n/, ""),
      command: (file) => ["adapt", "--adapter", "caddyfile", "--config", file],
    },
  }
  for (const [name, { whole, command }] of Object.entries(CHECKS)) {
    if (spawnSync(name, ["-v"], { stdio: "ignore" }).error !== undefined) {
      console.log(`${name} is not installed: its configuration is not checked`)
      continue
    }
    for (const page of BLOCKS[name]) {
      const [, text] =
        new RegExp(`^\`\`\`${name}\\n([^]*?)^\`\`\``, "m").exec(readFileSync(`docs/${page}.md`, "utf8")) ?? []
      if (text === undefined) {
        faults.push(`docs/${page}.md: expected a block of ${name}, got none`)
        continue
      }
      const file = join(folder, `${page}.${name}`)
      writeFileSync(file, whole(text))
      try {
        execFileSync(name, command(file), { stdio: "pipe" })
      } catch (error) {
        faults.push(`docs/${page}.md: ${/** @type {{ stderr: Buffer }} */ (error).stderr}`)
      }
    }
  }
  rmSync(folder, { recursive: true })
}
