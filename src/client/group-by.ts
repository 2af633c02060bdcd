/** The users of a room in groups. */
import { follow, type Arrival, type Followed } from "./arrivals.ts"
import { insert, remove } from "./sorted-list.ts"
import type { Entry } from "./store.ts"
import { select, type View } from "./view.ts"

/**
 * Returns the users of a room by what `groupOf` returns for each, in order of first arrival. There are no empty groups. While
 * the view has a subscriber, `groupOf` is called only for users that changed, and a group without changes stays the same array.
 *
 * `groupOf` must depend on nothing but the entry.
 */
export function groupBy<F extends object, Group>(
  room: Followed<F>,
  groupOf: (user: Entry<F>) => Group,
): View<ReadonlyMap<Group, readonly Entry<F>[]>> {
  let groups: Map<Group, Arrival<F>[]>
  let groupOfMember: Map<Arrival<F>, Group>
  /** The groups as they are shown. One that changed is missing until it is read. */
  let shown: Map<Group, readonly Entry<F>[]>
  const order = (a: Arrival<F>, b: Arrival<F>): number => a.order - b.order
  const source = follow(room, () => {
    groups = new Map()
    groupOfMember = new Map()
    shown = new Map()
    return (left, came) => {
      for (const each of left) {
        const group = groupOfMember.get(each)!
        remove(groups.get(group)!, each, order)
        groupOfMember.delete(each)
        shown.delete(group)
      }
      for (const each of came) {
        const group = groupOf(each.user)
        const members = groups.get(group) ?? []
        insert(members, each, order)
        groups.set(group, members)
        groupOfMember.set(each, group)
        shown.delete(group)
      }
    }
  })
  return select(source, () => {
    for (const [group, members] of groups) {
      // Not before, because a user that changed leaves its group and comes back: the group keeps its place.
      if (members.length === 0) groups.delete(group)
      else if (!shown.has(group)) shown.set(group, Object.freeze(members.map(({ user }) => user)))
    }
    return new Map(Array.from(groups.keys(), (group) => [group, shown.get(group)!]))
  })
}
