import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { messageOf, OrdersError } from '../../errors.ts'
import { wrapped } from './wrapped.ts'

/** A text that is given on the command line, or the file that holds it; `-` is standard input. */
export interface Given {
  readonly file: string | undefined
  readonly body: string | undefined
}

/**
 * Returns the text that is given, undefined if none is.
 * @throws OrdersError ORD_EDIT if the file cannot be read
 */
export async function givenText({ file, body }: Given): Promise<string | undefined> {
  if (file === undefined) return body
  try {
    const read = file === '-' ? text(process.stdin) : readFile(file, 'utf8')
    return (await read).replace(/\r?\n$/, '')
  } catch (error) {
    const name = file === '-' ? 'Standard input' : file
    const lines = wrapped(`${name} cannot be read: ${messageOf(error)}. Nothing was sent.`)
    throw new OrdersError('ORD_EDIT', lines.join('\n'), { cause: error })
  }
}
