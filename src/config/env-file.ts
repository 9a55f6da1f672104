import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { messageOf, OrdersError } from '../errors.ts'

/**
 * Reads a file of variables. A missing file has none.
 * @throws OrdersError ORD_CONFIG when the path exists but cannot be read, or its lines have two encodings.
 */
export function readEnvFile(path: string): NodeJS.Dict<string> {
  if (!existsSync(path)) return {}
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    const message = `${path} cannot be read (${messageOf(error)}): make it a file that this user can read, or remove it.`
    throw new OrdersError('ORD_CONFIG', message, { cause: error })
  }
  const text = new TextDecoder(encodingOf(bytes)).decode(bytes) // decoding drops a byte order mark
  if (!text.includes('\0')) return parseEnv(text)
  throw new OrdersError(
    'ORD_CONFIG',
    `${path} has lines in two encodings, as PowerShell 5 appends them: save it as UTF-8.`,
  )
}

/** Detects UTF-16, as written on Windows, by its byte order mark or by the zeros of its ASCII characters. */
function encodingOf([first, second]: Buffer): string {
  if ((first === 0xff && second === 0xfe) || second === 0) return 'utf-16le'
  if ((first === 0xfe && second === 0xff) || first === 0) return 'utf-16be'
  return 'utf-8'
}
