import { isOrderField } from '../../carried.ts'
import { OrdersError } from '../../errors.ts'
import type { Pipeline, Stage } from '../placed.ts'

/*
 * The layout of a stage: the channel that it reads, and the fields of the order that it passes on for later stages. Redis
 * holds the layout of each stage. A process with another one does not run the stage, and commits nothing.
 */

/** Prefix of an observer's field: a process whose list lacks the observer leaves it alone. */
export const observing = 'observer '

/** Returns the field of a stage in the hash of layouts. */
export const fieldOf = ({ name, isObserver }: Stage): string => (isObserver ? observing + name : name)
export const nameIn = (field: string): string => field.replace(observing, '')

/** Fields of the message are left out: a stage that asks for them takes records without them too. */
export function layoutOf({ from, carries }: Stage): string {
  const passing = carries.filter(isOrderField)
  return passing.length === 0 ? from : `${from} passing ${passing.join(' ')}`
}

export const channelIn = (layout: string): string => layout.split(' ')[0] ?? ''
export const passedIn = (layout: string): string => layout.slice(channelIn(layout).length)

type Layouts = Readonly<Record<string, string>>

/** Returns whether the processes that run the stage read another channel. @param layouts the hash of layouts in Redis */
export function readsElsewhere(stage: Stage, layouts: Layouts): boolean {
  const layout = layouts[fieldOf(stage)]
  return layout !== undefined && channelIn(layout) !== stage.from
}

/** Returns a sentence if the running processes have another list of stages: by ours, their numbers would look wrong. */
export function otherListText({ stages }: Pipeline, layouts: Layouts): string | undefined {
  const other = stages.find((stage) => readsElsewhere(stage, layouts))
  if (!other) return undefined
  const found = `the stage ${other.name} reads the channel ${channelIn(layouts[fieldOf(other)] ?? '')}, here ${other.from}`
  return `Redis is run with another list of stages (${found}): use the release, or the program, that runs it.`
}

/** @param found the layout in Redis */
export function otherLayoutError({ name }: Stage, found: string): OrdersError {
  const what = `The list of stages has changed since this process started (the stage ${name} reads the channel ${found} now)`
  return new OrdersError('ORD_MANIFEST', `${what}: this process must stop; start the release with the new list.`)
}
