import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Command } from '../../../src/ops/command.ts'
import { removeOnExit } from '../on-exit.ts'
import { until } from '../until.ts'
import { type Env, emptyRedis, emptySqs } from '../world.ts'
import type { Expected } from './blocks.ts'
import { isAsShown } from './compare.ts'
import {
  type Call,
  type Ended,
  inBackground,
  inProcess,
  inShell,
  isEndless,
  isSystem,
  ordersCall,
  type Running,
} from './programs.ts'
import type { Simple } from './shell.ts'

/** The terminals of a reader who does what a page says, on an empty Redis and SQS. */
export interface Session extends AsyncDisposable {
  /** Runs a command; asks again while a reply is not yet as shown. */
  run(command: Simple, expected?: Expected): Promise<Ended>
}

interface Terminals {
  readonly folder: string
  readonly redis: Awaited<ReturnType<typeof emptyRedis>>
  readonly sqs: Awaited<ReturnType<typeof emptySqs>>
  /** Leads to the servers that this test has opened, and sets short waits. */
  readonly base: Env
  /** Holds the variables that the page has exported. */
  readonly exported: Record<string, string>
  /** Texts of the replies so far, by their names in JSON. */
  readonly seen: Record<string, string>
  readonly running: Running[]
}

export async function openSession(): Promise<Session> {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'orders-page-'))
  stack.use(removeOnExit(folder))
  const [redis, sqs] = [stack.use(await emptyRedis()), stack.use(await emptySqs())]
  const base: Env = {
    REDIS_URL: redis.url,
    AWS_ENDPOINT_URL: sqs.url,
    SQS_QUEUE_NAME: sqs.queueName,
    DATA_DIR: join(folder, '.data'),
    API_PORT: '0',
    BRIDGE_POLLERS: '2',
    CLAIM_IDLE_MS: '1000',
    SQS_WAIT_TIME_SECONDS: '1',
    SQS_DELETE_AFTER: 'write',
    ARCHIVE_SEGMENT_SECONDS: '1',
    LOG_LEVEL: 'silent',
  }
  const terminals: Terminals = { folder, redis, sqs, base, exported: {}, seen: {}, running: [] }
  stack.defer(async () => {
    for (const one of terminals.running.reverse()) await one[Symbol.asyncDispose]()
  })
  const open = stack.move()
  return {
    run: (command, expected) => run(terminals, command, expected),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

async function run(terminals: Terminals, given: Simple, expected: Expected | undefined): Promise<Ended> {
  const { seen, exported } = terminals
  const command = filledIn(given, seen)
  const call = ordersCall(command.words)
  if (command.words.length === 0 || command.words[0] === 'export') {
    Object.assign(exported, command.env, assigned(command.words.slice(1)))
    return { output: '', code: 0 }
  }
  const env = envOf(terminals, command)
  if (call && isEndless(call.command, call.args)) {
    const begun = await begin(terminals, call, env)
    const printed = async (): Promise<Ended> => ({ output: begun.output(), code: 0 })
    return expected ? asked(expected, printed) : printed()
  }
  if (!terminals.running.some(isTheSystem)) await begin(terminals, start, envOf(terminals))
  const once = (): Promise<Ended> =>
    call ? inProcess(call, env) : inShell(atTheApi(terminals, command.source), terminals.folder, env)
  const first = await once()
  const reads = isReading(command, call?.command)
  if (!reads) await settle(terminals)
  const ended = reads && expected ? await asked(expected, once, first) : first
  remember(ended.output, seen)
  return ended
}

const [start, status] = [callOf('start'), callOf('status', '--json')]

function callOf(...words: string[]): Call {
  const call = ordersCall(['orders', ...words])
  if (!call) throw new Error(`There is no command ${words[0]}`)
  return call
}

/** The environment of a command. Addresses of pages lead to what this test has opened. */
function envOf({ base, exported, sqs, folder }: Terminals, { env = {} }: Partial<Simple> = {}): Env {
  const { METRICS_PORT: port, ...given } = { ...base, ...exported, ...env }
  const here = Object.entries(given).map(([name, value]) => [
    name,
    value === composeSqs ? sqs.url : value.replace('file:///tmp/', `${pathToFileURL(folder).href}/`),
  ])
  return { ...Object.fromEntries(here), ...(port && { METRICS_PORT: '0' }) }
}

function atTheApi({ running }: Terminals, script: string): string {
  const [, host = ''] = /http:\/\/(127\.0\.0\.1:\d+)/.exec(running.find(isTheSystem)?.output() ?? '') ?? []
  return script.replaceAll('localhost:8000', host)
}

/** Starts a command that runs until Ctrl-C. Of the system there is one at a time. */
async function begin(terminals: Terminals, call: Call, env: Env): Promise<Running> {
  const { command } = call
  const { running, redis } = terminals
  if (isSystem(command)) {
    const at = running.findIndex(isTheSystem)
    const [stopped] = at === -1 ? [] : running.splice(at, 1)
    await stopped?.[Symbol.asyncDispose]()
    if (stopped?.command.name === 'demo') await redis.redis.flushdb() // its data is temporary
  }
  const begun = inBackground(call, env)
  running.push(begun)
  if (!isSystem(command)) return begun
  await until('the system to be up', () => begun.output().includes('Ctrl-C stops.'))
  await settle(terminals)
  return begun
}

/** Waits until every order is judged and every pause is obeyed, as a person does who reads on. */
async function settle({ running, sqs }: Terminals): Promise<void> {
  await until('every order to be judged, and every pause to be obeyed', async () => {
    const { output, code } = await inProcess(status, running.find(isTheSystem)?.env ?? {})
    if (code !== 0) return true // it needs other settings, as the page will say
    const { stages, paused } = JSON.parse(output) as StatusJson
    const moving = stages.filter(({ stage }) => stage !== 'archive') // orders wait in its open segment
    const isMoving = moving.some(({ stage, waiting, consumers }) =>
      stage in paused ? consumers > 0 : waiting > 0 || consumers === 0,
    )
    return !isMoving && ('bridge' in paused || sqs.depth() === 0)
  })
}

/** The address of SQS in docker-compose.yml. */
const composeSqs = 'http://localhost:4566'

const isTheSystem = ({ command }: Running): boolean => isSystem(command)

interface StatusJson {
  readonly stages: readonly { readonly stage: string; readonly waiting: number; readonly consumers: number }[]
  readonly paused: Readonly<Record<string, unknown>>
}

/** Commands that may be run again and again. */
function isReading({ words }: Simple, command: Command | undefined): boolean {
  if (command) {
    const changes = words.some((word) => ['--yes', '--repair', '--acknowledge', '--write-off'].includes(word))
    return ['status', 'top', 'trace', 'verify', 'audit', 'doctor'].includes(command.name) && !changes
  }
  return words[0] === 'curl' && !words.some((word) => ['-X', '-d', '--data'].includes(word))
}

/** Limits the time that a reading command is repeated until it prints what the page shows. On a busy machine a job takes seconds. */
const patienceMs = 20_000

async function asked(expected: Expected, ask: () => Promise<Ended>, first?: Ended): Promise<Ended> {
  const start = performance.now()
  for (let ended = first ?? (await ask()); ; ended = await ask()) {
    if (isAsShown(expected, ended.output) || performance.now() - start > patienceMs) return ended
    await sleep(50)
  }
}

/** Puts what earlier replies gave in the place of `<id>` and the like. */
function filledIn(command: Simple, seen: Readonly<Record<string, string>>): Simple {
  const fill = (text: string): string => text.replaceAll(/<(\w+)>/g, (all, name) => seen[name] ?? all)
  return { ...command, source: fill(command.source), words: command.words.map(fill) }
}

/** Remembers the texts of a JSON reply by their names; the outermost and last of a name. */
function remember(output: string, seen: Record<string, string>): void {
  if (!/^\s*[[{]/.test(output)) return
  JSON.parse(output, (name, value) => {
    if (typeof value === 'string' && !/^\d*$/.test(name)) seen[name] = value
    return value
  })
}

const assigned = (words: readonly string[]): Env =>
  Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]))
