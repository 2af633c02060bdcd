/** The program nginx, which only one example needs. */
import { run } from "./project.js"

/**
 * Installs nginx from Debian's packages if it is missing and this process may.
 *
 * @throws Error if it is still missing
 */
export async function ensureNginx() {
  const isMissing = () =>
    run("nginx", ["-v"]).then(
      () => false,
      () => true,
    )
  if (!(await isMissing())) return
  if (process.getuid?.() === 0) {
    await run("apt-get", ["update", "-qq"]).catch(() => {})
    // RUNLEVEL=1 keeps Debian from starting the server that it installs.
    const args = ["RUNLEVEL=1", "apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"]
    await run("env", args).catch(() => {})
  }
  if (await isMissing()) throw new Error("expected nginx to be installed, got none (on Debian: apt-get install nginx)")
}
