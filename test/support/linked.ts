import { RollcallError } from "../../src/error.ts"

/** Returns the whole message of an error: its text, and the link to its code. @param code by default that of a ConfigError */
export const linked = (text: string, code = "config"): string => new RollcallError(code, text).message
