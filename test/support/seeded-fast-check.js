/**
 * fast-check with one seed for all property tests, so that each run of the tests draws the same values, and what fails is a
 * change. `PROPERTY_SEED=7 npm run test:run` draws others. test/vitest.config.ts puts this file in the place of the package.
 */
import fc from "../../node_modules/fast-check/lib/fast-check.js"

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env["PROPERTY_SEED"] ?? 1) })

export * from "../../node_modules/fast-check/lib/fast-check.js"
export default fc
