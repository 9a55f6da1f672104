import { fstatSync, writeSync } from 'node:fs'
import { messageOf, OrdersError } from '../../errors.ts'
import { printable } from './printable.ts'

/** One line or several. A line break within a line is shown as its number. */
export type Output = string | readonly string[]

/**
 * Returns the function that prints to standard output. It makes all text safe for a terminal. To a file it writes whole
 * lines or throws, where Node's own stream ignores a partial write. A pipe or terminal reports its errors as events (see
 * main.ts).
 * @throws OrdersError ORD_OUTPUT, of the returned function, when a file cannot take the line
 */
export function openOutput(): (output: Output) => void {
  const stdout = fstatSync(1)
  if (process.stdout.isTTY || stdout.isFIFO() || stdout.isSocket()) {
    return (output) => {
      process.stdout.write(textOf(output))
    }
  }
  return (output) => {
    try {
      for (let rest = Buffer.from(textOf(output)); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      throw outputError(error)
    }
  }
}

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
export const textOf = (output: Output): string =>
  [output]
    .flat()
    .map((line) => `${printable(line)}\n`)
    .join('')

export function outputError(error: unknown): OrdersError {
  const reason = messageOf(error).replace(/, write$/, '')
  const message = `Standard output cannot be written (${reason}): make room there, or redirect it elsewhere.`
  return new OrdersError('ORD_OUTPUT', message, { cause: error })
}
