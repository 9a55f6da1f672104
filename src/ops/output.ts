import { fstatSync, writeSync } from 'node:fs'
import { messageOf, OrdersError } from '../errors.ts'

/**
 * Returns what prints a line to standard output. Node's own stream for a file takes a line that fits in part for printed;
 * here it is written whole or refused. A pipe or terminal reports its errors as events (see cli.ts).
 * @throws OrdersError ORD_OUTPUT, of the returned function, when a file cannot take the line
 */
export function openOutput(): (line: string) => void {
  const output = fstatSync(1)
  if (process.stdout.isTTY || output.isFIFO() || output.isSocket()) {
    return (line) => {
      process.stdout.write(`${line}\n`)
    }
  }
  return (line) => {
    try {
      for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      throw outputError(error)
    }
  }
}

export function outputError(error: unknown): OrdersError {
  const reason = messageOf(error).replace(/, write$/, '')
  const message = `Standard output cannot be written (${reason}): make room there, or send it elsewhere.`
  return new OrdersError('ORD_OUTPUT', message, { cause: error })
}
