import { expect } from 'vitest'
import type { Result } from './run.ts'
import type { End } from './worker.ts'

/** A run prints it, and repeats the same choices when it is given as SEED. */
export const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Enough that all processes have work when a fault strikes. `npm run chaos` sends as many as it is asked to. */
export const ordersPerFault = 600

/** Nothing lost, nothing doubled, every number the oracle's. Prints one line of what happened. */
export function expectExact(name: string, { lost, doubled, complaints, differences, ...rest }: Result): void {
  const { sent, again, kills, ends } = rest
  const endings = ends.map(({ roles, code, signal, lastLine }) => `\n  ${roles} ended ${code ?? signal}: ${lastLine}`)
  const reported = `SEED=${seed} ${name}: ${sent} sent, ${again} delivered again, ${kills} kills, ${lost} lost, ${doubled} doubled`
  process.stdout.write(`${reported}${endings.join('')}\n`)
  expect({ lost, doubled, complaints, differences }, reported).toEqual({
    lost: 0,
    doubled: 0,
    complaints: [],
    differences: [],
  })
}

export function expectOrderly(stopped: readonly End[]): void {
  expect(stopped.filter(({ code }) => code !== 0)).toEqual([])
}
