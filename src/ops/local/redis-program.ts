import { execFile } from 'node:child_process'
import { isFrom, oldestRedis } from '../checks/redis.ts'

/** A Redis program that can be started here, or advice on how to get one. */
export interface RedisProgram {
  readonly program?: string
  readonly advice: string
}

/** Searches the PATH for a server that is new enough. */
export async function findRedisProgram(): Promise<RedisProgram> {
  const faults: string[] = []
  for (const program of ['redis-server', 'valkey-server']) {
    const found = await examine(program)
    if (found === 'fit') return { program, advice: '' }
    if (found !== 'missing') faults.push(`${program} on the PATH ${found}`)
  }
  if (faults.length === 0) return { advice: `${howToGetRedis()} for more` }
  return { advice: `${faults.join('; ')}: install Redis 7.0 or newer for more` }
}

/**
 * Returns how to get a real Redis in place of the emulator, as a clause. There is no Redis for Windows, and a program of WSL
 * cannot be started from here.
 */
export const howToGetRedis = (platform = process.platform): string =>
  platform === 'win32' ? 'set REDIS_URL to a Redis in Docker or WSL' : 'install redis-server or set REDIS_URL'

/** Says how the data of a system would stay, where the emulator has none left. */
export const howToKeepData = (): string => `To keep it, ${howToGetRedis()}, and run npm start.`

/** Returns `fit`, `missing`, or a fault that continues a sentence after the name of the program. */
async function examine(program: string): Promise<string> {
  // Run by a shell, as the server will be: without a shell no server can start.
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    const args = ['-c', 'exec "$0" --version', program]
    execFile('/bin/sh', args, { timeout: answerMs }, (error, output) =>
      resolve({ code: error ? error.code : 0, output }),
    )
  })
  if (code === notFound || code === 'ENOENT') return 'missing'
  if (code !== 0) return 'does not run'
  const [, version] = /\bv(?:=|ersion )(\d+\.\d+[.\d]*)/.exec(output) ?? []
  // Valkey began with 7.2. A version that cannot be read counts as fit: the check at start reads it from the server.
  return version === undefined || isFrom(oldestRedis, version) ? 'fit' : `is ${version}, which is too old`
}

/** A shell's exit code for a program that is not on the PATH. */
const notFound = 127
/** The program answers within milliseconds. A wrapper that waits for something is of no use here. */
const answerMs = 5_000
