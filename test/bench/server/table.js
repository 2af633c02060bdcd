import { SERVERS } from "./contest.js"

const digits = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3))
const number = (value) => (value === undefined || Number.isNaN(value) ? "–" : digits(value))

/** A row's ratio to the floor, where there is one, and whether it is as good as it should be. */
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

/** The rows as a table, with what each cost: messages for a CPU second of our server, cores of it and of the generator. */
export function table(rows) {
  const head = [
    "scenario",
    "unit",
    ...SERVERS,
    "ours ÷ ws",
    "target",
    "",
    "server CPU-s",
    "messages/server CPU-s",
    "server, generator cores",
  ]
  const lines = rows.map((row) => {
    const { ratio, target, met } = judged(row)
    const per = (read) => SERVERS.map((name) => row.figures[name] && number(read(row.figures[name])))
    const beside = (read) =>
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
      beside(({ cost }) => cost.server),
      beside(({ cost }) => cost.perCpuSecond),
      `${(cost.server / cost.seconds).toFixed(2)}, ${(cost.generator / cost.seconds).toFixed(2)}`,
    ]
  })
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

const CLIENTS = 2_000_000
const GIB = 2 ** 30
/** What the kernel keeps for an idle TCP connection: the socket, its inode and file, and empty buffers. */
const KERNEL_KIB = 4
const PER_PROCESS = 18_000
const BASE_MIB = 60

/** What the measured bytes come to for two million clients, with what is assumed. */
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
        `Two million of "${title.split(":")[0]}": ${processes.toFixed(0)} GiB in ${workers} workers of ${PER_PROCESS} ` +
        `(${BASE_MIB} MiB each before the first client), and some ${kernel.toFixed(0)} GiB in the kernel, assuming ` +
        `${KERNEL_KIB} KiB for an idle TCP socket: ${sum.toFixed(0)} of 128 GiB.`
      )
    })
    .concat(
      "Assumed besides: memory grows in proportion; clients are idle but for heartbeats; a room's members sit on one " +
        "node, or each node holds the rows of all rooms that it serves; nothing is said about CPU, which a broadcast to " +
        "all would need.",
    )
    .join("\n")
}
