// Measures the server under load, next to socket.io and a bare ws server in the same run. Needs a build, and takes minutes:
// npm run bench:server [-- --quick] [--full] [--json file] [--only name] [--profile folder]
//   --quick    smaller sizes and shorter rounds
//   --full     also holds 100 000 connections over six servers for a minute
//   --json     writes all figures to a file; without it they are printed after the table
//   --only     runs one scenario: idle, hold, storm, fanOut, workers, echo, connect, updates, bigRoom,
//              smallRooms, compression or deploy
//   --profile  makes the Rollcall server write CPU profiles to a folder
import { writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { parseArgs } from "node:util"
import { compression } from "./scenarios/compression.js"
import { connect } from "./scenarios/connect.js"
import { deploy } from "./scenarios/deploy.js"
import { echo } from "./scenarios/echo.js"
import { fanOut } from "./scenarios/fan-out.js"
import { hold, idle } from "./scenarios/idle.js"
import { bigRoom, smallRooms } from "./scenarios/rooms.js"
import { storm } from "./scenarios/storm.js"
import { updates } from "./scenarios/updates.js"
import { workers } from "./scenarios/workers.js"
import { extrapolation, judged, table } from "./table.js"

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    json: { type: "string" },
    only: { type: "string" },
    profile: { type: "string" },
  },
})

const scenarios = {
  idle,
  connect,
  echo,
  fanOut,
  workers,
  storm,
  updates,
  bigRoom,
  smallRooms,
  compression,
  deploy,
  hold,
}
const selected = options.only === undefined ? Object.keys(scenarios) : [options.only]
const rows = []
const failures = []
for (const name of selected) {
  if (name === "hold" && !options.full && options.only !== "hold") continue
  console.error(`${name} …`)
  try {
    rows.push(...(await scenarios[name](options)))
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.message : error}`)
  }
}

const report = {
  node: process.version,
  cpu: cpus()[0].model,
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  rows: rows.map((row) => ({ ...row, ...judged(row) })),
  failures,
}
const texts = [table(rows), extrapolation(rows), ...failures.map((failure) => `FAILED ${failure}`)]
console.log(texts.filter((text) => text !== "").join("\n\n"))
const json = JSON.stringify(report, undefined, 2)
if (options.json === undefined) console.log(`\n${json}`)
else writeFileSync(options.json, `${json}\n`)
process.exitCode = failures.length > 0 ? 1 : 0
