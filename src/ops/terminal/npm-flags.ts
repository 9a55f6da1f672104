import { OrdersError } from '../../errors.ts'
import type { Command } from '../command.ts'

/**
 * Returns the flags of a command that npm has taken as its own. `npm run replay --dry-run` without a `--`, which PowerShell
 * removes, reaches a script only as the variable `npm_config_dry_run`. That variable may also come from an `.npmrc`, so only
 * a flag that makes a command safer counts.
 * @throws OrdersError ORD_USAGE for any other flag: its value may be lost, or it may be meant for npm.
 */
export function flagsFromNpm({ name, options }: Command, env: NodeJS.ProcessEnv): string[] {
  const configured = new Set(
    Object.entries(env)
      .filter(([variable, value]) => /^npm_config_/i.test(variable) && value !== undefined && !unset.has(value))
      .map(([variable]) => bare(variable.slice('npm_config_'.length))),
  )
  const taken = Object.entries(options).filter(([option]) => configured.has(bare(option)) && !confirming.has(option))
  const lost = taken.filter(([option]) => option !== accepted).map(([option, { hint }]) => ({ option, hint }))
  // In `npx --yes orders …` they are for npx; and a process that a script starts later has its own options.
  if (lost.length > 0 && env['npm_lifecycle_event'] === name) {
    const words = lost.map(({ option, hint }) => `--${option}${hint ? ` ${hint}` : ''}`).join(' ')
    const problem = `npm took ${lost.map(({ option }) => `--${option}`).join(' and ')} as its own, so the command did not get them`
    throw new OrdersError(
      'ORD_USAGE',
      `orders ${name}: ${problem}: use npx orders ${name} ${words}, the form that works everywhere.`,
    )
  }
  return taken.some(([option]) => option === accepted) ? [`--${accepted}`] : []
}

/** Values that npm writes for a flag that is off. */
const unset: ReadonlySet<string> = new Set(['', 'false', 'null', 'undefined'])
const accepted = 'dry-run'
/** Common in an `.npmrc`. They only confirm another flag, so ignoring them does no harm. */
const confirming: ReadonlySet<string> = new Set(['yes', 'force'])
/** Strips - and _: npm writes - as _, and `--dryrun` must not be ignored. */
const bare = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '')
