import { readFileSync } from 'node:fs'
import type { RedisOptions } from 'ioredis'
import type { Config } from '../config/config.ts'
import { messageOf, OrdersError } from '../errors.ts'

/** Returns the password of now. */
export type ReadPassword = () => string

/**
 * Returns a function that reads the password from REDIS_PASSWORD_FILE again each time: managed services let a token connect
 * for minutes only. While the file cannot be read, it returns the last one. Undefined if no file is configured.
 * @throws OrdersError ORD_CONFIG if the file cannot be read, or holds nothing
 */
export function passwordReader({ redisPasswordFile: file }: Config): ReadPassword | undefined {
  if (file === undefined) return undefined
  let last = read(file)
  return () => {
    try {
      last = read(file)
    } catch {} // it is being replaced
    return last
  }
}

function read(file: string): string {
  const given = `REDIS_PASSWORD_FILE is ${JSON.stringify(file)}`
  let text: string
  try {
    text = readFileSync(file, 'utf8').trimEnd()
  } catch (error) {
    const message = `${given} and cannot be read (${messageOf(error)}): name a file with the password of Redis.`
    throw new OrdersError('ORD_CONFIG', message, { cause: error })
  }
  if (text !== '') return text
  throw new OrdersError('ORD_CONFIG', `${given} and is empty: write the password of Redis into it.`)
}

/** Makes ioredis read the password at each connect: it looks into these options then. */
export function readAtConnect(options: RedisOptions, password: ReadPassword | undefined): void {
  if (password) Object.defineProperty(options, 'password', { get: password, enumerable: true })
}
