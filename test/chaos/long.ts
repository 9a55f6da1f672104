/** Rounds of everything together for as long as asked: `npm run chaos -- --minutes 30 [--seed n] [--orders n] [--kills n]`. */
import { inspect, parseArgs } from 'node:util'
import { type Result, runEverything } from './run.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    orders: { type: 'string', default: '30000' },
    kills: { type: 'string', default: '100' },
  },
})
const [minutes, orders, kills] = [Number(values.minutes), Number(values.orders), Number(values.kills)]

// Leaving runs what kills every child and removes every folder (support/on-exit.ts).
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const untilMs = performance.now() + minutes * 60_000
for (let seed = Number(values.seed); performance.now() < untilMs; seed++) {
  try {
    const result = await runEverything(orders, kills, seed)
    print(`${new Date().toISOString()} seed ${seed}: ${reportOf(result)}`)
    const wrong = wrongIn(result)
    if (wrong.length > 0) fail(seed, wrong.join('\n'))
  } catch (error) {
    fail(seed, inspect(error))
  }
}
process.exit(0)

function reportOf({ kills, sent, again, duplicates, lost, doubled, ends }: Result): string {
  const delivered = `${duplicates} duplicates, ${again} delivered again`
  return `${kills} kills, ${sent} orders, ${delivered}, ${lost} lost, ${doubled} doubled, ${ends.length} other ends`
}

function wrongIn({ differences, complaints, stopped }: Awaited<ReturnType<typeof runEverything>>): string[] {
  const disorderly = stopped
    .filter(({ code }) => code !== 0)
    .map((end) => `did not stop in order: ${JSON.stringify(end)}`)
  return [...differences, ...complaints, ...disorderly]
}

function fail(seed: number, why: string): never {
  print(why)
  print(`Repeat with: npm run chaos -- --minutes 1 --seed ${seed} --orders ${orders} --kills ${kills}`)
  process.exit(1)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
