import { execFile } from 'node:child_process'

interface Options {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly timeoutMs?: number
  /** For its standard input, which ends after it. */
  readonly input?: string
}

/** Runs a program to its end and returns what it printed. @throws Error with its output if it ends with another code than 0 */
export function run(
  program: string,
  args: readonly string[],
  { cwd, env = {}, timeoutMs = 0, input = '' }: Options = {},
): Promise<string> {
  const options = { cwd, timeout: timeoutMs, env: { ...process.env, ...env }, maxBuffer: 64 * 2 ** 20 }
  return new Promise((resolve, reject) => {
    const { stdin } = execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      reject(new Error(`${program} ${args.join(' ')} ended with ${error.code}\n${stdout}${stderr}`))
    })
    stdin?.on('error', () => {}) // it has ended without reading all
    stdin?.end(input)
  })
}
