import { exitCodes } from '../errors.ts'
import type { Command } from './command.ts'
import { defaultWidth, wrapped } from './terminal/wrapped.ts'

type Row = readonly [term: string, about: string]

/** Returns the help of a command, wrapped to the width. */
export function helpOf({ name, words, about, options, examples, page }: Command, width = defaultWidth): string[] {
  const rows = Object.entries(options).map(
    ([option, { hint, about }]): Row => [`--${option}${hint ? ` ${hint}` : ''}`, about],
  )
  return [
    ...wrapped(`orders ${[name, words, '[options]'].filter(Boolean).join(' ')}`, { width, indent: '  ' }),
    '',
    ...wrapped(about, { width }),
    '',
    ...rowLines([...rows, ['--help', 'this text']], width),
    '',
    examples.length === 1 ? 'Example:' : 'Examples:',
    ...examples.map((example) => `  npx orders ${example}`),
    '',
    `More in ${page}.`,
  ]
}

/** Returns the help of the CLI: every command with the first sentence about it, and the exit codes. */
export function overviewOf(commands: readonly Command[], width = defaultWidth): string[] {
  const summaries = commands.map(({ name, about }): Row => [name, (about.split(/\. |; /)[0] ?? '').replace(/\.$/, '')])
  const codes = Object.entries(exitCodes).map(([code, about]): Row => [code.padStart(3), about])
  return [
    'orders <command> [options]',
    '',
    ...rowLines(summaries, width),
    '',
    'Exit codes:',
    ...rowLines(codes, width),
    '',
    ...wrapped('orders <command> --help says more. docs/reference lists every command and every variable.', { width }),
  ]
}

/** Returns terms and what they mean in two columns. The second is wrapped within itself. */
function rowLines(rows: readonly Row[], width: number): string[] {
  const termWidth = Math.max(...rows.map(([term]) => term.length))
  const indent = termWidth + 4
  return rows.flatMap(([term, about]) =>
    wrapped(about, { width: width - indent }).map((line, at) =>
      at === 0 ? `  ${term.padEnd(termWidth)}  ${line}` : `${' '.repeat(indent)}${line}`,
    ),
  )
}
