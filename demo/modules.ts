import { connect } from "rollcall"
import { open } from "./page.js"

open(connect)
