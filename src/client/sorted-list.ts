/** Functions that change a sorted array: the place is searched for, and nothing is sorted again. */

/** A total order: no two items of a list are equal. */
export type Order<T> = (a: T, b: T) => number

/** Returns how many items of the list come before `item`. */
function placeOf<T>(list: readonly T[], item: T, order: Order<T>): number {
  let from = 0
  let to = list.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (order(list[middle]!, item) < 0) from = middle + 1
    else to = middle
  }
  return from
}

/** Puts an item in its place. */
export const insert = <T>(list: T[], item: T, order: Order<T>): void =>
  void list.splice(placeOf(list, item, order), 0, item)

/** Takes an item out. If it is not where the order says, because that has changed, all items are searched. */
export function remove<T>(list: T[], item: T, order: Order<T>): void {
  let place = placeOf(list, item, order)
  if (list[place] !== item) place = list.indexOf(item)
  if (place >= 0) list.splice(place, 1)
}
