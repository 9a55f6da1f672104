import { fstatSync, writeSync } from 'node:fs'
import { styleText } from 'node:util'
import { messageOf, OrdersError } from '../../errors.ts'
import { printable } from './printable.ts'
import { wrapped } from './wrapped.ts'

/** A line as it is, such as a row of a table, JSON or a script; or one with a style. */
export type Line = string | Styled

export interface Styled {
  readonly text: string
  /** On a terminal: red for what has failed, yellow for what may. */
  readonly color?: 'red' | 'yellow' | undefined
  /** Breaks the text at spaces, where a terminal is narrower. Further lines begin with this. */
  readonly indent?: string
}

/** One line or several. A line break within a line is shown as its number. */
export type Output = Line | readonly Line[]

/** Makes a line that may be broken at spaces. */
export const sentence = (text: string, indent = '', color?: Styled['color']): Styled => ({ text, indent, color })
export const red = (line: Line): Styled => ({ ...styled(line), color: 'red' })
export const yellow = (line: Line): Styled => ({ ...styled(line), color: 'yellow' })

const styled = (line: Line): Styled => (typeof line === 'string' ? { text: line } : line)

/** Columns to fit sentences into, and the function that colors. Without them text stays as it is. */
interface Style {
  readonly width?: number | undefined
  readonly paint?: (color: NonNullable<Styled['color']>, text: string) => string
}

/**
 * Returns the function that prints to standard output. It makes all text safe for a terminal. To a file it writes whole
 * lines or throws, where Node's own stream ignores a partial write. A pipe or terminal reports its errors as events (see
 * main.ts).
 * @throws OrdersError ORD_OUTPUT, of the returned function, when a file cannot take the line
 */
export function openOutput(): (output: Output) => void {
  const stdout = fstatSync(1)
  const style = (): Style => ({ width: process.stdout.columns, paint })
  if (process.stdout.isTTY || stdout.isFIFO() || stdout.isSocket()) {
    return (output) => {
      process.stdout.write(textOf(output, style()))
    }
  }
  return (output) => {
    try {
      for (let rest = Buffer.from(textOf(output, style())); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      throw outputError(error)
    }
  }
}

/** Colors on a terminal, by NO_COLOR and FORCE_COLOR. */
const paint: NonNullable<Style['paint']> = (color, text) => styleText(color, text, { stream: process.stdout })

/** Prints to standard error, in the same way. */
export function printError(output: Output): void {
  process.stderr.write(textOf(output))
}

/** Clears the terminal. Does nothing if standard output is no terminal. */
export function clearTerminal(): void {
  if (process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[H')
}

let isLineEnded = false

/**
 * Ends the line of a terminal that a progress bar or `^C` has begun. Does nothing the second time, or if standard output is
 * no terminal.
 */
export function endLine(): void {
  if (process.stdout.isTTY && !isLineEnded) process.stdout.write('\n')
  isLineEnded = true
}

/** Returns the text of lines, made safe for a terminal. */
export const textOf = (output: Output, style: Style = {}): string =>
  [output]
    .flat()
    .flatMap((line) => shown(styled(line), style))
    .map((line) => `${line}\n`)
    .join('')

function shown({ text, color, indent }: Styled, { width, paint }: Style): string[] {
  const lines = indent !== undefined && width ? wrapped(text, { width, indent }) : [printable(text)]
  return color && paint ? lines.map((line) => paint(color, line)) : lines
}

export function outputError(error: unknown): OrdersError {
  const reason = messageOf(error).replace(/, write$/, '')
  const message = `Standard output cannot be written (${reason}): make room there, or redirect it elsewhere.`
  return new OrdersError('ORD_OUTPUT', message, { cause: error })
}
