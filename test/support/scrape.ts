/** A sample's line: name, labels in braces, value. */
const SAMPLE = /^(?<series>[a-z_]\w*(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)+\})?) (?<value>-?[\d.e+-]+|Nan|[+-]Inf)$/

/** What Prometheus would read from `<url>/metrics`: series as they are written, with their values. */
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
