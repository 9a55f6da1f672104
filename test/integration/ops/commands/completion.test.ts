import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { loadCommands } from '../../../../src/ops/cli.ts'
import { runOrders } from '../../../support/run-orders.ts'

async function completion(shell: string): Promise<string> {
  await using command = runOrders(['completion', shell], {})
  expect(await command.exit()).toEqual({ code: 0, signal: null })
  return command.stdout()
}

test('the script for bash completes commands, actions and options', async () => {
  const script = await completion('bash')
  const complete = (...words: string[]): string[] => {
    const list = words.map((word) => `'${word}'`).join(' ')
    const asked = `COMP_WORDS=(orders ${list}); COMP_CWORD=${words.length}; _orders; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', `${script}\n${asked}`], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean)
  }
  expect(complete('')).toEqual([...(await loadCommands()).map(({ name }) => name), '--help', '--version'])
  expect(complete('rep')).toEqual(['replay', 'repartition'])
  expect(complete('jobs', '')).toEqual(['list', 'show', 'cancel', '--limit', '--json', '--help'])
  expect(complete('replay', '--d')).toEqual(['--dry-run'])
  expect(complete('replay', '1')).toEqual([])
})

test('the scripts for zsh and fish name every command, action and option', async () => {
  const [zsh, fish] = await Promise.all([completion('zsh'), completion('fish')])
  for (const { name, options } of await loadCommands()) {
    expect(zsh).toMatch(new RegExp(`^    '${name}:[^'":\`$]+'$`, 'm'))
    expect(fish).toMatch(new RegExp(`-a ${name} -d '[^'"\`$]+'$`, 'm'))
    for (const option of Object.keys(options)) {
      expect(zsh).toMatch(new RegExp(`^    ${name}\\) compadd -- .*--${option} `, 'm'))
      expect(fish).toMatch(new RegExp(`from ${name}' -l ${option} `))
    }
  }
  expect(zsh).toMatch(/^ {4}jobs\) compadd -- list show cancel /m)
  expect(fish).toContain("from jobs' -a cancel\n")
})

test('completion for another shell is refused with the shells that there are', async () => {
  await using command = runOrders(['completion', 'tcsh'], {})
  expect(await command.exit()).toEqual({ code: 2, signal: null })
  expect(command.stderr()).toBe('orders completion: expected bash | zsh | fish: see orders completion --help.\n')
})
