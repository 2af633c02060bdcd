/** The line of a sample: its name, its labels in braces, its value. */
const SAMPLE = /^(?<series>[a-z_]\w*(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)+\})?) (?<value>-?[\d.e+-]+|Nan|[+-]Inf)$/

/** Returns what Prometheus would read from `<url>/metrics`: each series as it is written, with its value. */
export async function scrape(url: string | undefined): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}/metrics`)
  const text = await response.text()
  const series = new Map<string, number>()
  let family: string | undefined
  for (const line of text.split("\n")) {
    family = /^# TYPE (\S+) (?:counter|gauge|histogram|summary)$/.exec(line)?.[1] ?? family
    if (line === "" || /^# (HELP|TYPE) \w+ ./.test(line)) continue
    const { series: name, value } = SAMPLE.exec(line)?.groups ?? {}
    if (name === undefined || family === undefined || !name.startsWith(family) || series.has(name)) {
      throw new Error(`expected one sample of ${family}, got ${line}`)
    }
    series.set(name, Number(value?.replace("Inf", "Infinity")))
  }
  if (response.status !== 200) throw new Error(`expected metrics, got ${response.status} ${text}`)
  return series
}
