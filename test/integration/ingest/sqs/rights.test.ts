import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { variables } from '../../../../src/config/variables.ts'
import { parseCall } from '../../../../src/ops/command.ts'
import { roleNames } from '../../../../src/ops/process/roles.ts'
import { fillDeadLetters } from '../../../support/dead-letters.ts'
import { root } from '../../../support/markdown.ts'
import { blocksOf, readPage } from '../../../support/pages/blocks.ts'
import { ordersCall } from '../../../support/pages/programs.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { sendBodies } from '../../../support/send.ts'
import { openSqsProxy, type SqsProxy } from '../../../support/sqs-proxy.ts'
import { until } from '../../../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const page = 'docs/how-to/aws.md'
/** Actions by the name of a queue. */
type Rights = Readonly<Record<string, readonly string[]>>

/** Returns what a block of the page holds. */
function shown<T>(name: string): T {
  const block = blocksOf(page).find(({ language, info }) => language === 'json' && info === name)
  return JSON.parse(block?.text ?? '') as T
}

interface Policy {
  readonly Statement: readonly { readonly Action: readonly string[]; readonly Resource: string }[]
}

/** Returns the rights that a policy of the page gives, for a queue of another name. */
function allowedBy(name: string, queueName: string): Rights {
  const { Statement } = shown<Policy>(name)
  return Object.fromEntries(
    Statement.map(({ Action, Resource }) => [
      Resource.replace(/^.*:orders(?=$|-dlq$)/, queueName),
      Action.map((action) => action.replace('sqs:', '')).toSorted(),
    ]),
  )
}

/** Returns the rights that calls need: a batch needs the right of its single action. */
function neededFor(calls: SqsProxy['calls']): Rights {
  const names = new Map<string, Set<string>>()
  for (const { name, input } of calls) {
    const queue =
      String(input['QueueName'] ?? input['QueueUrl'])
        .split('/')
        .at(-1) ?? ''
    const actions = names.get(queue) ?? new Set()
    names.set(queue, actions.add(name.replace(/Batch$/, '')))
  }
  return Object.fromEntries([...names].map(([queue, actions]) => [queue, [...actions].toSorted()]))
}

const withoutCreation = (rights: Rights): Rights =>
  Object.fromEntries(
    Object.entries(rights).map(([queue, actions]) => [queue, actions.filter((action) => action !== 'CreateQueue')]),
  )

test.for(['sdk', 'thin'])(
  `the policies of ${page} allow what is called, and nothing else (%s)`,
  async (transport, context) => {
    requireRealRedis(context)
    await using redis = await emptyRedis()
    await using sqs = await emptySqs()
    await using proxy = await openSqsProxy(sqs.url)
    const more = { SQS_TRANSPORT: transport, SQS_VISIBILITY_TIMEOUT_SECONDS: '5' }
    const env = envOf(redis.url, { url: proxy.url, queueName: sqs.queueName }, more)
    const called = (): Rights => neededFor(proxy.calls.splice(0))

    await examine(env) // of a queue that is missing
    await renew(env, proxy)
    const created = called()
    await deliver(env, sqs)
    await examine(env)
    const existing = called()
    const allowed = allowedBy('bridge', sqs.queueName)
    expect(merged(created, existing)).toEqual(merged(allowed, allowedBy('creator', sqs.queueName)))
    expect(merged(existing, withoutCreation(created))).toEqual(allowed)
    expect(existing).toEqual(withoutCreation(existing))
    expect(allowedBy('queue-policy', sqs.queueName)[sqs.queueName]).toEqual(allowed[sqs.queueName])

    await using populate = runOrders(['populate', '--valid', '2', '--invalid', '0'], env)
    expect([(await populate.exit()).code, populate.stderr()]).toEqual([0, ''])
    expect(called()).toEqual(allowedBy('producer', sqs.queueName))

    await redrive(env, proxy)
    expect(called()).toEqual(allowedBy('jobs', sqs.queueName))
  },
)

/** Runs doctor, which may find warnings. */
async function examine(env: Env): Promise<void> {
  await using doctor = runOrders(['doctor', 'bridge'], env)
  expect((await doctor.exit()).code).toBe(0)
}

/** Runs a bridge that creates the queues and has a message that is never safe: it extends the time that SQS hides it. */
async function renew(env: Env, proxy: SqsProxy): Promise<void> {
  await using bridge = runOrders(['run', 'bridge'], { ...env, SQS_DELETE_AFTER: 'replicas:1' })
  await bridge.started()
  await sendBodies({ ...env, AWS_ENDPOINT_URL: proxy.target }, ['{}'])
  await until('a renewal', () => proxy.calls.some(({ name }) => name.startsWith('ChangeMessageVisibility')))
  await bridge.stop()
}

/** Runs a bridge that deletes what it is sent. */
async function deliver(env: Env, sqs: { depth(): number }): Promise<void> {
  await using bridge = runOrders(['run', 'bridge'], { ...env, SQS_DELETE_AFTER: 'write' })
  await until('the message to be deleted', () => sqs.depth() === 0)
  await bridge.stop()
}

/** Looks at a dead letter, which gives it back, and redrives it. */
async function redrive(env: Env, proxy: SqsProxy): Promise<void> {
  await fillDeadLetters({ ...env, AWS_ENDPOINT_URL: proxy.target }, ['{}'])
  await using jobs = runOrders(['run', 'jobs', 'validate'], env)
  await jobs.started()
  for (const words of [['dlq'], ['dlq', 'redrive', '--wait']]) {
    await using command = runOrders(words, env)
    expect([(await command.exit()).code, command.stderr()]).toEqual([words.includes('redrive') ? 1 : 0, ''])
  }
  await jobs.stop()
}

function merged(...all: readonly Rights[]): Rights {
  const queues = new Set(all.flatMap((rights) => Object.keys(rights)))
  const actionsOn = (queue: string) => [...new Set(all.flatMap((rights) => rights[queue] ?? []))].toSorted()
  return Object.fromEntries([...queues].map((queue) => [queue, actionsOn(queue)]))
}

interface TaskDefinition {
  readonly containerDefinitions: readonly {
    readonly command: readonly string[]
    readonly environment: readonly { readonly name: string; readonly value: string }[]
    readonly secrets: readonly { readonly name: string; readonly valueFrom: string }[]
    readonly portMappings?: readonly { readonly containerPort: number }[]
    readonly stopTimeout: number
    readonly healthCheck: { readonly command: readonly string[] }
  }[]
}

const portOfImage = (): string | undefined =>
  /METRICS_PORT=(\d+)/.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1]

test.each([
  ['task-definition', portOfImage()],
  ['task-definition-api', '8000'],
])('%s runs a command that exists, with known variables, and asks the port that it opens', (name, port) => {
  const [container] = shown<TaskDefinition>(name).containerDefinitions
  if (!container) throw new Error('no container')
  const call = ordersCall(['npx', 'orders', ...container.command])
  expect(call && parseCall(call.command, call.args)).toBeTruthy()
  const given = container.environment.map(({ name, value }) => [name, value])
  const secret = container.secrets.map(({ name }) => [name, 'rediss://orders@redis.example:6379'])
  const env: Env = Object.fromEntries([...given, ...secret])
  const known = Object.values(variables).map((variable) => variable.name as string)
  expect(known).toEqual(expect.arrayContaining(Object.keys(env)))
  const config = readConfig(env)
  expect(config).toMatchObject({ sqsQueueName: 'orders', awsRegion: 'us-east-1' })
  expect(container.stopTimeout * 1_000).toBeGreaterThan(Math.max(config.stopGraceMs, config.drainMs) + 2_000)
  expect(container.healthCheck.command.join(' ')).toContain(`http://127.0.0.1:${port}/livez`)
  for (const { containerPort } of container.portMappings ?? []) expect(containerPort).toBe(config.apiPort)
})

test('the execution role may read the secrets of the task definitions, and no others', () => {
  const secrets = ['task-definition', 'task-definition-api'].flatMap((name) =>
    shown<TaskDefinition>(name).containerDefinitions.flatMap((one) => one.secrets.map(({ valueFrom }) => valueFrom)),
  )
  const allowed = shown<{ Statement: [{ Resource: string[] }] }>('execution').Statement.flatMap((one) => one.Resource)
  expect(new Set(allowed)).toEqual(new Set(secrets.map((arn) => `${arn}*`)))
})

test('the page has a task for every role, and no other', () => {
  const rows = [...readPage(page).matchAll(/^\| `(\w+)` \| .*\| \d+, \d+ \|$/gm)]
  expect(rows.map(([, role]) => role)).toEqual(roleNames)
  for (const [row, role] of rows) {
    if (!row.includes('as shown')) expect(row).toContain(`\`orders-${role}\`, \`${role}\`, \`["run", "${role}"]\``)
  }
})
