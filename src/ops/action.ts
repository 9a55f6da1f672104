import { OrdersError } from '../errors.ts'
import type { Command } from './command.ts'
import { nearest } from './nearest.ts'

/** An action of a command, as its `words` declare it: `show <id>` is the name `show` and one argument. */
interface Action {
  readonly name: string
  readonly arguments: number
}

/**
 * Returns the actions that `words` declare, such as `[list | show <id>]`. In brackets the first one is the default. Words
 * without a `|` declare arguments, and no actions.
 */
export function actionsIn(words = ''): Action[] {
  if (!words.includes('|')) return []
  const alternatives = words.replaceAll(/[[\]]/g, '').split('|')
  return alternatives.map((text) => {
    const [name = '', ...given] = text.trim().split(/\s+/)
    return { name, arguments: given.length }
  })
}

/**
 * Reads the action and its arguments from the words of a call.
 * @throws OrdersError ORD_USAGE for other words than the command declares
 */
export function actionOf(
  { name, words = '' }: Pick<Command, 'name' | 'words'>,
  given: readonly string[],
): { action: string; argument: string; more: readonly string[] } {
  const actions = actionsIn(words)
  const [wanted = words.startsWith('[') ? actions[0]?.name : undefined, ...rest] = given
  const found = actions.find((action) => action.name === wanted)
  if (found?.arguments === rest.length) {
    const [argument = '', ...more] = rest
    return { action: found.name, argument, more }
  }
  const near = found
    ? undefined
    : nearest(
        wanted ?? '',
        actions.map((action) => action.name),
      )
  if (near !== undefined) {
    const problem = `there is no ${JSON.stringify(wanted)}, did you mean ${near}?`
    throw new OrdersError('ORD_USAGE', `orders ${name}: ${problem} See orders ${name} --help.`)
  }
  const expected = words.replaceAll(/^\[|\]$/g, '')
  throw new OrdersError('ORD_USAGE', `orders ${name}: expected ${expected}: see orders ${name} --help.`)
}
