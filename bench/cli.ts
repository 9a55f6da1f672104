import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { machine, type Options, openRedisServer } from './harness.ts'
import { printProfiles, profileFolder } from './profile.ts'

type Section = (options: Options) => Promise<Record<string, unknown>>

/** Loads a section when it is asked for. */
const sections: Readonly<Record<string, () => Promise<Section>>> = {
  line: async () => (await import('./line.ts')).line,
  latency: async () => (await import('./latency.ts')).latency,
  bridge: async () => (await import('./bridge.ts')).bridge,
  fifo: async () => (await import('./fifo.ts')).fifo,
  whole: async () => (await import('./whole.ts')).whole,
  calendar: async () => (await import('./calendar.ts')).calendar,
  rebuild: async () => (await import('./rebuild.ts')).rebuild,
  api: async () => (await import('./api.ts')).api,
  growth: async () => (await import('./growth.ts')).growth,
  cluster: async () => (await import('./cluster.ts')).cluster,
}

const help = `npm run bench -- [section…] [options]   sections: ${Object.keys(sections).join(', ')} (default: all)
  --orders N   orders a round (each section has its own default)
  --rounds N   alternating rounds (default 3)
  --scale X    share of the full volumes of growth (default 0.05)
  --only KEYS  only these contenders of line, bridge or whole, separated by commas (bare8,thin8)
  --profile    CPU profiles in bench/.profiles, and the ten hottest frames of each
  --json       the figures alone, as JSON`

export async function main(args: string[]): Promise<void> {
  const flag = { type: 'boolean', default: false } as const
  const text = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { orders: text, rounds: text, scale: text, only: text, profile: flag, json: flag, help: flag },
  })
  const unknown = positionals.filter((name) => !(name in sections))
  if (values.help || unknown.length > 0) return void process.stdout.write(`${help}\n`)
  const print = (line: string): void => void (values.json || process.stdout.write(`${line}\n`))
  const options: Options = {
    orders: values.orders === undefined ? undefined : Number(values.orders),
    rounds: Number(values.rounds ?? 3),
    scale: Number(values.scale ?? 0.05),
    only: values.only?.split(',') ?? [],
    profile: values.profile,
    print,
  }
  const names = positionals.length > 0 ? positionals : Object.keys(sections)
  const figures = await runAll(names, options)
  if (values.json) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
}

async function runAll(names: readonly string[], options: Options): Promise<Record<string, unknown>> {
  const { print, profile } = options
  if (profile) rmSync(profileFolder, { recursive: true, force: true })
  const on = machine(await redisVersion())
  print(
    Object.entries(on)
      .map(([what, which]) => `${what} ${which}`)
      .join(' · '),
  )
  print('Redis: noeviction, appendonly no, save off, on loopback; rounds alternate; median, min–max')
  const figures: Record<string, unknown> = { machine: on }
  for (const name of names) {
    print(`\n## ${name}\n`)
    const run = await sections[name]?.()
    figures[name] = await run?.(options)
  }
  if (profile) figures['profiles'] = printProfiles(print)
  return figures
}

async function redisVersion(): Promise<string> {
  await using server = await openRedisServer()
  const redis = new Redis(server.url)
  const info = await redis.info('server')
  redis.disconnect()
  return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'
}
