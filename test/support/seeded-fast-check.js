import { createRequire } from "node:module"

/**
 * fast-check, whose properties draw the same cases in each run and on each machine. FAST_CHECK_SEED=7 draws others.
 *
 * It is loaded by `require`, because the configuration of the test runner leads imports of `fast-check` to this file.
 *
 * @type {typeof import("fast-check").default}
 */
const fc = createRequire(import.meta.url)("fast-check")
fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 1) })

export default fc
