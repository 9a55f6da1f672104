import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Command, flag, type Option, optionalNumber } from '../../../../src/ops/command.ts'
import { flagsFromNpm } from '../../../../src/ops/terminal/npm-flags.ts'

const text: Option<string> = { hint: 'CODE', about: '', schema: z.string() }
const number = optionalNumber('', {})
/** Options as the commands of these names have them. */
const options = {
  replay: { limit: number, code: text, 'dry-run': flag(''), wait: flag('') },
  verify: { repair: flag(''), force: flag(''), 'write-off': flag(''), yes: flag(''), json: flag('') },
  status: { watch: flag(''), json: flag('') },
  populate: { valid: number, invalid: number },
} satisfies Record<string, Command['options']>
type Name = keyof typeof options

const named = (name: Name): Command => ({
  ...{ name, about: '', examples: [name], page: '' },
  options: options[name],
  run: async () => {},
})

/** As npm starts the script of this name. */
const flags = (name: Name, env: Record<string, string>): string[] =>
  flagsFromNpm(named(name), { npm_command: 'run', npm_lifecycle_event: name, npm_config_cache: '/c', ...env })

describe('a script of npm', () => {
  test.each<[Name, Record<string, string>, string[]]>([
    ['replay', {}, []],
    ['replay', { npm_config_dry_run: 'true' }, ['--dry-run']],
    ['replay', { NPM_CONFIG_DRY_RUN: 'true' }, ['--dry-run']],
    ['replay', { npm_config_dryrun: 'true' }, ['--dry-run']],
    ['replay', { npm_config_dry_run: '' }, []],
    ['replay', { npm_config_dry_run: 'false' }, []],
    ['replay', { npm_config_user_agent: 'npm', npm_config_yes: 'true', npm_config_json: 'true' }, []],
    ['verify', { npm_config_yes: 'true', npm_config_force: 'true', npm_config_dry_run: 'true' }, []],
  ])('%s with %j has the flags %j', (name, env, expected) => {
    expect(flags(name, env)).toEqual(expected)
  })

  test.each<[Name, Record<string, string>, string, string]>([
    ['replay', { npm_config_limit: '10' }, '--limit', '--limit N'],
    ['replay', { npm_config_limit: 'true', npm_config_dry_run: 'true' }, '--limit', '--limit N'],
    ['replay', { npm_config_code: 'true', npm_config_wait: 'true' }, '--code and --wait', '--code CODE --wait'],
    ['verify', { npm_config_write_off: 'true', npm_config_yes: 'true' }, '--write-off', '--write-off'],
    ['verify', { npm_config_repair: 'true', npm_config_force: 'true' }, '--repair', '--repair'],
    ['status', { npm_config_json: 'true' }, '--json', '--json'],
    ['populate', { npm_config_valid: 'true' }, '--valid', '--valid N'],
  ])('%s with %j is refused', (name, env, took, form) => {
    expect(() => flags(name, env)).toThrow(
      `orders ${name}: npm took ${took} as its own, so the command did not get them: use npx orders ${name} ${form}, the form that works everywhere.`,
    )
  })
})

test('npx and processes that a script starts have the options that they are given, and a dry run wherever it is said', () => {
  const npx = { npm_command: 'exec', npm_lifecycle_event: 'npx', npm_config_yes: 'true', npm_config_json: 'true' }
  expect(flagsFromNpm(named('verify'), npx)).toEqual([])
  expect(flagsFromNpm(named('replay'), { ...npx, npm_config_dry_run: 'true' })).toEqual(['--dry-run'])
  expect(flagsFromNpm(named('status'), { npm_lifecycle_event: 'bench', npm_config_json: 'true' })).toEqual([])
})
