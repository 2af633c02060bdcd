import { SERVERS } from "./contest.js"

const digits = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3))
const number = (value) => (value === undefined || Number.isNaN(value) ? "–" : digits(value))

/** Returns a row's ratio to the ws baseline, if it has one, its target, and whether it meets the target. */
export function judged(row) {
  const { rollcall, ws } = row.figures
  const ratio = ws && rollcall.value / ws.value
  if (row.least !== undefined) return { ratio, target: `ratio ≥ ${row.least}`, met: ratio >= row.least }
  if (row.mostRatio !== undefined) return { ratio, target: `ratio ≤ ${row.mostRatio}`, met: ratio <= row.mostRatio }
  if (row.leastValue !== undefined) {
    return { ratio, target: `≥ ${row.leastValue}`, met: rollcall.value >= row.leastValue }
  }
  if (row.most !== undefined) return { ratio, target: `≤ ${row.most}`, met: rollcall.value <= row.most }
  return { ratio, target: "–", met: undefined }
}

/** Returns the rows as a Markdown table, with their cost: CPU time and cores of the servers and of the load generator. */
export function table(rows) {
  const head = [
    "scenario",
    "unit",
    ...SERVERS,
    "rollcall ÷ ws",
    "target",
    "",
    "server CPU-s",
    "messages/server CPU-s",
    "server, generator cores",
  ]
  const lines = rows.map((row) => {
    const { ratio, target, met } = judged(row)
    const per = (read) => SERVERS.map((name) => row.figures[name] && number(read(row.figures[name])))
    const joinedCells = (read) =>
      per(read)
        .filter((cell) => cell !== undefined && cell !== "–")
        .join(" / ") || "–"
    const { cost } = row.figures.rollcall
    return [
      row.title,
      row.unit,
      ...per(({ value }) => value).map((cell) => cell ?? "–"),
      number(ratio),
      target,
      met === undefined ? "" : met ? "met" : "MISSED",
      joinedCells(({ cost }) => cost.server),
      joinedCells(({ cost }) => cost.perCpuSecond),
      `${(cost.server / cost.seconds).toFixed(2)}, ${(cost.generator / cost.seconds).toFixed(2)}`,
    ]
  })
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

const CLIENTS = 2_000_000
const GIB = 2 ** 30
/** The kernel's memory for an idle TCP connection: the socket, its inode and file, and empty buffers. */
const KERNEL_KIB = 4
const PER_PROCESS = 18_000
const BASE_MIB = 60

/** Returns the memory that two million clients would need by the measured figures, with the assumptions. */
export function extrapolation(rows) {
  return rows
    .filter(({ title }) => title.startsWith("idle"))
    .map(({ title, figures }) => {
      const each = figures.rollcall.value * 1000
      const workers = Math.ceil(CLIENTS / PER_PROCESS)
      const processes = (CLIENTS * each + workers * BASE_MIB * 2 ** 20) / GIB
      const kernel = (CLIENTS * KERNEL_KIB * 1024) / GIB
      const sum = processes + kernel
      return (
        `Two million connections "${title.split(":")[0]}": ${processes.toFixed(0)} GiB in ${workers} workers of ${PER_PROCESS} ` +
        `(${BASE_MIB} MiB each before the first client), and some ${kernel.toFixed(0)} GiB in the kernel, assuming ` +
        `${KERNEL_KIB} KiB for an idle TCP socket: ${sum.toFixed(0)} of 128 GiB.`
      )
    })
    .concat(
      "Further assumptions: memory grows in proportion; clients send only heartbeats; the members of a room are connected " +
        "to one node, or each node holds the rows of all rooms that it serves. CPU time is not considered; a broadcast to " +
        "all clients would need it.",
    )
    .join("\n")
}
