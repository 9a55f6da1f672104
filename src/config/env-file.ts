import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { messageOf, OrdersError } from '../errors.ts'

/**
 * Reads a file of variables. No file is no variables.
 * @throws OrdersError ORD_CONFIG where there is something of that name that cannot be read.
 */
export function readEnvFile(path: string): NodeJS.Dict<string> {
  if (!existsSync(path)) return {}
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    const message = `${path} cannot be read (${messageOf(error)}): make it a file that this user may read, or remove it.`
    throw new OrdersError('ORD_CONFIG', message, { cause: error })
  }
  return parseEnv(new TextDecoder(encodingOf(bytes)).decode(bytes)) // which drops a byte order mark
}

/** PowerShell and editors on Windows write UTF-16. Without a byte order mark the zeros of its ASCII characters show it. */
function encodingOf([first, second]: Buffer): string {
  if ((first === 0xff && second === 0xfe) || second === 0) return 'utf-16le'
  if ((first === 0xfe && second === 0xff) || first === 0) return 'utf-16be'
  return 'utf-8'
}
