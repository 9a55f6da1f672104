import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadCommands } from '../../../../src/ops/cli.ts'
import { parseCall } from '../../../../src/ops/command.ts'
import { helpOf, overviewOf } from '../../../../src/ops/help.ts'

const commands = await loadCommands()
const root = new URL('../../../../', import.meta.url)
const tooWide = (lines: readonly string[], width: number): string[] => lines.filter(({ length }) => length > width)

test.each(commands)('the examples of $name are calls that it accepts, and its page exists', (command) => {
  const { name, options, examples, page } = command
  for (const example of examples) {
    const [called, ...args] = example.split(' ')
    expect(called).toBe(name)
    expect(parseCall(command, args)).toBeTruthy()
  }
  expect(examples.length).toBeGreaterThanOrEqual(Object.keys(options).length === 0 ? 1 : 2)
  expect(existsSync(new URL(page, root))).toBe(true)
  const help = helpOf(command)
  expect(help).toEqual(expect.arrayContaining([`  npx orders ${examples[0]}`, `More in ${page}.`]))
})

test('orders populate sends one message or sample orders, not both', () => {
  const command = commands.find(({ name }) => name === 'populate') ?? expect.fail()
  expect(() => parseCall(command, ['--valid', '400', '--body', '{}'])).toThrow('--valid has no effect together with')
})

test.each([60, 80, 120])('the help fits %i columns', (width) => {
  const lines = [overviewOf(commands, width), ...commands.map((command) => helpOf(command, width))].flat()
  expect(tooWide(lines, width)).toEqual([])
  const words = (lines: readonly string[]): string => lines.join(' ').replaceAll(/\s+/g, ' ')
  const [command] = commands
  if (command) expect(words(helpOf(command, width))).toContain(command.about)
})

test('a narrow terminal gets more lines, and a wide one fewer', () => {
  const lengths = [40, 80, 200].map((width) => commands.flatMap((command) => helpOf(command, width)).length)
  expect(lengths).toEqual(lengths.toSorted((one, other) => other - one))
  expect(new Set(lengths).size).toBe(3)
})

test('no summary of the overview ends with a full stop', () => {
  const lines = overviewOf(commands, 1_000)
  for (const { name } of commands) expect(lines.find((line) => line.startsWith(`  ${name} `))).toMatch(/[^.]$/)
})
