import { fstatSync, writeSync } from 'node:fs'
import { messageOf, OrdersError } from '../../errors.ts'
import { printable } from './printable.ts'

/** A line, or several. What looks like the end of a line inside of one is shown, and ends nothing. */
export type Output = string | readonly string[]

/**
 * Returns what prints to standard output: the one way there for text, which steers no terminal. Node's own stream for a
 * file takes a line that fits in part for printed; here it is written whole or refused. A pipe or terminal reports its
 * errors as events (see cli.ts).
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

/** Clears the terminal; standard output that is none stays as it is. */
export function clearTerminal(): void {
  if (process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[H')
}

const textOf = (output: Output): string =>
  [output]
    .flat()
    .map((line) => `${printable(line)}\n`)
    .join('')

export function outputError(error: unknown): OrdersError {
  const reason = messageOf(error).replace(/, write$/, '')
  const message = `Standard output cannot be written (${reason}): make room there, or send it elsewhere.`
  return new OrdersError('ORD_OUTPUT', message, { cause: error })
}
