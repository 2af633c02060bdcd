/** The routes that the page offers. `dispatcher.ts` has the functions. */
export const ROUTE_CHOICES = [
  {
    name: "powerOfTwo",
    code: "powerOfTwo()",
    says: "The less busy of two workers, picked at random. The slow worker gets fewer jobs by itself.",
  },
  {
    name: "roundRobin",
    code: "roundRobin()",
    says: "Each worker in turn, however busy it is. Jobs pile up at the slow worker.",
  },
  {
    name: "random",
    code: "random()",
    says: "Any worker, by chance. About a quarter of the jobs each, so jobs pile up at the slow worker.",
  },
  {
    name: "byKey",
    code: "byKey(site)",
    says: "All pages of a site go to the same worker. If it is killed, only its own sites move.",
  },
  {
    name: "leastBy",
    code: "leastBy(({ meta }) => meta.jobs)",
    says: "The worker with the fewest jobs, as it reported up to a second ago. So jobs come in herds.",
  },
  {
    name: "compare",
    code: "compare((a, b) => a.meta.msPerJob - b.meta.msPerJob)",
    says: "The fastest machine; equal ones in turn. The slow worker gets nothing.",
  },
] as const

export type RouteName = (typeof ROUTE_CHOICES)[number]["name"]

export const isRouteName = (value: unknown): value is RouteName => ROUTE_CHOICES.some(({ name }) => name === value)
