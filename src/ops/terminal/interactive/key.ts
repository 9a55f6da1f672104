import { once } from 'node:events'

/** Ctrl-C, as a terminal sends it while single keys are read. */
const ctrlC = '\x03'

/** Returns whether a person can be asked: input and output are a terminal. */
export const canAsk = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true

/** Waits for one of these keys on the terminal, and returns it. Returns undefined for Enter, Ctrl-C or the end of input. */
export async function readKey(keys: readonly string[]): Promise<string | undefined> {
  const { stdin } = process
  stdin.setRawMode(true)
  try {
    for (;;) {
      const [bytes] = (await Promise.race([once(stdin, 'data'), once(stdin, 'end').then(() => [ctrlC])])) as [
        Buffer | string,
      ]
      for (const key of String(bytes).toLowerCase()) {
        if (keys.includes(key)) return key
        if (['\r', '\n', ctrlC, '\x04'].includes(key)) return undefined
      }
    }
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
  }
}
