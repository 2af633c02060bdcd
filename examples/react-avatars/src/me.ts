// Each tab is a person of its own, with a name from `?name=Ada` or from this list. An application takes both from its login.
const NAMES = ["Ada", "Grace", "Alan", "Katherine", "Edsger", "Barbara", "Dennis", "Radia"]
const any = (below: number) => Math.floor(Math.random() * below)

export const userId = crypto.randomUUID()
export const me = {
  name: new URLSearchParams(location.search).get("name") ?? NAMES[any(NAMES.length)]!,
  color: `oklch(50% 0.13 ${any(360)})`,
}
