import { execFile } from 'node:child_process'
import { isFrom, oldestRedis } from '../checks/redis.ts'

/** A Redis that can be started here, or what to do about there being none. */
export interface RedisProgram {
  readonly program?: string
  readonly advice: string
}

/** Looks on the PATH for a server that is new enough. */
export async function findRedisProgram(): Promise<RedisProgram> {
  const faults: string[] = []
  for (const program of ['redis-server', 'valkey-server']) {
    const found = await examine(program)
    if (found === 'fit') return { program, advice: '' }
    if (found !== 'missing') faults.push(`${program} on the PATH ${found}`)
  }
  if (faults.length === 0) return { advice: 'install redis-server for more' }
  return { advice: `${faults.join('; ')}: install Redis 7.0 or newer for more` }
}

/** Neither word is a fault, which reads on after the name of the program. */
async function examine(program: string): Promise<string> {
  // By a shell, for the server will be started by it: where there is none, no server can be.
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    const args = ['-c', 'exec "$0" --version', program]
    execFile('/bin/sh', args, { timeout: answerMs }, (error, output) =>
      resolve({ code: error ? error.code : 0, output }),
    )
  })
  if (code === notFound || code === 'ENOENT') return 'missing'
  if (code !== 0) return 'does not run'
  const [, version] = /\bv(?:=|ersion )(\d+\.\d+[.\d]*)/.exec(output) ?? []
  // Valkey began with 7.2. A version that cannot be read is left for the server to show.
  return version === undefined || isFrom(oldestRedis, version) ? 'fit' : `is ${version}, which is too old`
}

/** A shell's exit code for a program that is not on the PATH. */
const notFound = 127
/** It takes some milliseconds; a wrapper that waits for something is none that we can start. */
const answerMs = 5_000
