import { OrdersError } from '../../errors.ts'
import type { Command } from '../command.ts'

/**
 * Returns the flags of a command that npm has taken as its own. `npm run replay --dry-run` without a `--`, which PowerShell
 * swallows, reaches a script as the variable `npm_config_dry_run` alone. The same variable may come from an `.npmrc`, so only
 * what makes a command safer is obeyed.
 * @throws OrdersError ORD_USAGE for any other one: its value may be lost, or it may not have been meant.
 */
export function flagsFromNpm({ name, options }: Command, env: NodeJS.ProcessEnv): string[] {
  const configured = new Set(
    Object.entries(env)
      .filter(([variable, value]) => /^npm_config_/i.test(variable) && value !== undefined && !unset.has(value))
      .map(([variable]) => bare(variable.slice('npm_config_'.length))),
  )
  const taken = Object.entries(options).filter(([option]) => configured.has(bare(option)) && !confirming.has(option))
  const lost = taken.filter(([option]) => option !== obeyed).map(([option, { hint }]) => ({ option, hint }))
  // In `npx --yes orders …` they are for npx; and a process that a script starts later has options of its own.
  if (lost.length > 0 && env['npm_lifecycle_event'] === name) {
    const words = lost.map(({ option, hint }) => `--${option}${hint ? ` ${hint}` : ''}`).join(' ')
    const told = `npm took ${lost.map(({ option }) => `--${option}`).join(' and ')} as its own, and what they say is lost`
    throw new OrdersError(
      'ORD_USAGE',
      `orders ${name}: ${told}: use npx orders ${name} ${words}, the form that works everywhere.`,
    )
  }
  return taken.some(([option]) => option === obeyed) ? [`--${obeyed}`] : []
}

/** What npm writes for a flag that is off. */
const unset: ReadonlySet<string> = new Set(['', 'false', 'null', 'undefined'])
const obeyed = 'dry-run'
/** They are in many an `.npmrc`. They confirm what another flag asks for, so nothing happens where they do not count. */
const confirming: ReadonlySet<string> = new Set(['yes', 'force'])
/** npm writes - as _; `--dryrun` is not to be taken for none at all. */
const bare = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '')
