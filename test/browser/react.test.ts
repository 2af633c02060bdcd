import { bindingContract } from "../contracts/binding.ts"
import { buildReactApp } from "./react/build.ts"

bindingContract("React 19, in StrictMode", () => buildReactApp(""))
bindingContract("React 18, in StrictMode", () => buildReactApp("-18"))
