import { connect, merged } from "rollcall"
import { open } from "./page.js"

open({ connect, merged })
