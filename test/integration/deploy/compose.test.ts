import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { GetQueueAttributesCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { routes } from '../../../src/api/server.ts'
import { type Config, readConfig } from '../../../src/config/config.ts'
import { variables } from '../../../src/config/variables.ts'
import { openQueue } from '../../../src/ingest/sqs/queue.ts'
import { loadCommands } from '../../../src/ops/cli.ts'
import { parseCall } from '../../../src/ops/command.ts'
import { archiveRole, deployedRoles } from '../../support/deployed-roles.ts'
import { freePort } from '../../support/redis-server.ts'
import { until } from '../../support/until.ts'

/** No Docker engine is needed: what Docker would start is taken from the files as they are, and started here. */
const root = join(import.meta.dirname, '../../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

const packageJson = z
  .object({ bin: z.record(z.string(), z.string()), devDependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json')))

/** Every key we use and no other: a misspelt one fails here. */
const service = z.strictObject({
  image: z.string().optional(),
  pull_policy: z.literal('never').optional(),
  build: z.union([z.string(), z.strictObject({ context: z.string(), target: z.string() })]).optional(),
  profiles: z.tuple([z.literal('archive')]).optional(),
  command: z.array(z.string()).default([]),
  init: z.boolean().optional(),
  restart: z.literal('unless-stopped'),
  stop_grace_period: z.string().regex(/^\d+s$/),
  user: z.string().optional(),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  tmpfs: z.tuple([z.literal('/tmp')]).optional(),
  mem_limit: z.string().regex(/^\d+m$/),
  env_file: z.tuple([z.strictObject({ path: z.literal('.env'), required: z.literal(false) })]).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.string() })).default({}),
  healthcheck: z
    .strictObject({
      test: z.tuple([z.literal('CMD'), z.string()], z.string()),
      interval: z.string(),
      timeout: z.string(),
      start_period: z.string().optional(),
      retries: z.int().optional(),
    })
    .optional(),
})
type Service = z.output<typeof service>

const composeFile = z.strictObject({
  'x-hardened': z.unknown(),
  'x-orders': z.unknown(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
})

function readCompose(env: Record<string, string> = {}): z.output<typeof composeFile> {
  const text = read('docker-compose.yml')
    .replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name, value) => env[name] ?? value)
    .replaceAll(/\$\{COMPOSE_PROJECT_NAME\}-orders/g, 'orders')
  expect(text).not.toContain('$')
  return composeFile.parse(parse(text, { merge: true }))
}

const compose = readCompose()
const serviceNamed = (name: string): Service => service.parse({ ...compose.services[name] })
const ours = Object.entries(compose.services).filter(([name]) => name !== 'redis' && name !== 'sqs')

const environmentOf = ({ environment }: Service): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, `${value}`]))
const configOf = (one: Service): Config => readConfig(environmentOf(one))

/** The stages of the Dockerfile: their name, and their instructions in order. */
const stages = read('Dockerfile')
  .replaceAll(/\\\n/g, ' ')
  .split(/^(?=FROM )/m)
  .map((text) => [...text.matchAll(/^([A-Z]+) (.+)$/gm)].map(([, keyword = '', rest = '']) => ({ keyword, rest })))
  .filter((instructions) => instructions.length > 0)
  .map((instructions) => {
    const [, from = '', name = ''] = /^(\S+) AS (\S+)$/.exec(instructions[0]?.rest ?? '') ?? []
    return { name, from, instructions }
  })
const targetNames = ['sqs', stages.at(-1)?.name ?? '']

const all = (target: string, keyword: string): string[] =>
  stages.find(({ name }) => name === target)?.instructions.flatMap((i) => (i.keyword === keyword ? [i.rest] : [])) ?? []
const argv = (target: string, keyword: string): string[] =>
  z.array(z.string()).parse(
    JSON.parse(
      all(target, keyword)
        .at(-1)
        ?.replace(/^.*? CMD /, '') ?? '[]',
    ),
  )

/** The healthcheck of a service: its own, or that of the image. */
const checkOf = ({ healthcheck }: Service): string[] => healthcheck?.test.slice(1) ?? argv('orders', 'HEALTHCHECK')

const children: ChildProcess[] = []
const servers: Server[] = []
const folders: string[] = []

afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(children.splice(0).map(end))
  for (const server of servers.splice(0)) server.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** `node` is the one that runs this test, whatever is on the PATH. */
function launch([program = '', ...args]: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const node = program === 'node'
  const options = { cwd: root, stdio: 'ignore', env: { ...process.env, ...env } } as const
  const child = spawn(node ? process.execPath : program, args, options)
  children.push(child)
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

async function exitCode(command: readonly string[]): Promise<number | null> {
  const [code] = await once(launch(command), 'exit')
  return code
}

async function healthy(command: readonly string[]): Promise<void> {
  await until(
    command.join(' '),
    () => exitCode(command),
    (code) => code === 0,
  )
}

async function serve(answer: RequestListener): Promise<Server & { port: number }> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'compose-'))
  folders.push(folder)
  return folder
}

/** A healthcheck as it is written, but for the port. */
function healthCommand(one: Service, port: number): string[] {
  const command = checkOf(one).map((word) => word.replace(address, `127.0.0.1:${port}`))
  if (command[0] === 'redis-cli') command.splice(1, 0, '-p', `${port}`)
  return command
}

/** In the image the port is that of the role's variables. */
const address = /127\.0\.0\.1:(\d+|\$\{[^}]*\})/

function healthUrl(one: Service): URL {
  const [, found = ''] = /['`](http:[^'`]+)['`]/.exec(checkOf(one).join(' ')) ?? []
  const { metricsPort, apiPort } = configOf(one)
  return new URL(found.replace(/\$\{[^}]*\}/, `${metricsPort ?? apiPort}`))
}

describe('docker-compose.yml', () => {
  it('has every role once, under its own name', async () => {
    const run = (await loadCommands()).find(({ name }) => name === 'run')
    for (const [name, { command }] of ours) {
      const [commandName, ...args] = command
      expect(commandName).toBe(run?.name)
      expect(run && parseCall(run, args).words).toEqual([name])
    }
    expect(ours.map(([name]) => name).toSorted()).toEqual([...deployedRoles, archiveRole].toSorted())
  })

  it('has the archive in a profile, so that nothing but its volume is there without it, and the page turns it on', () => {
    const inProfile = Object.entries(compose.services).filter(([, { profiles }]) => profiles !== undefined)
    expect(inProfile.map(([name]) => name)).toEqual([archiveRole])
    const shown = [...read('docs/how-to/compose.md').matchAll(/`([A-Z_]+=\S+)`/g)].map(([, line]) => line)
    const { COMPOSE_PROFILES: profile, ...env } = parseEnv(shown.join('\n'))
    expect([profile]).toEqual(serviceNamed(archiveRole).profiles)
    const { archiveUrl = '' } = readConfig({ ...environmentOf(serviceNamed(archiveRole)), ...env })
    expect(serviceNamed('jobs').volumes).toEqual([`archive:${new URL(archiveUrl).pathname}`])
    expect(all('orders', 'RUN').join()).toMatch(/mkdir .* \/archive && chown node .* \/archive/)
  })

  it.each(ours)('%s: every variable is known and its value accepted', (_, one) => {
    const known = Object.values(variables).map(({ name }) => name)
    expect(known).toEqual(expect.arrayContaining(Object.keys(one.environment)))
    const config = configOf(one)
    expect(config.stopGraceMs).toBeLessThan(Number.parseInt(one.stop_grace_period, 10) * 1_000)
    expect(config.redisUrl).toBe('redis://redis:6379')
    expect(config.awsEndpointUrl).toBe('http://sqs:4566')
    expect(config.apiHost).toBe('0.0.0.0')
  })

  it('takes region, queue and port from where the commands on the host take them', () => {
    const { services } = readCompose({
      AWS_REGION: 'eu-west-1',
      SQS_QUEUE_NAME: 'other',
      API_PORT: '9000',
      SQS_PORT: '9001',
    })
    const { awsRegion, sqsQueueName } = configOf(service.parse({ ...services['bridge'] }))
    expect({ awsRegion, sqsQueueName }).toEqual({ awsRegion: 'eu-west-1', sqsQueueName: 'other' })
    expect(services['api']?.ports).toEqual(['127.0.0.1:9000:8000'])
    expect(services['sqs']?.ports).toEqual(['127.0.0.1:9001:4566'])
    expect(configOf(serviceNamed('bridge'))).toMatchObject({ awsRegion: 'us-east-1', sqsQueueName: 'orders' })
  })

  it('lets every worker be scaled: nothing in it may exist once only', () => {
    expect(read('docker-compose.yml')).not.toContain('container_name')
    for (const [name, { ports, volumes }] of ours) {
      if (name !== 'api') expect(ports).toEqual([])
      expect(volumes).toEqual(['archive:/archive']) // all of them share it
    }
  })

  it('publishes the API and SQS, on loopback only, at the ports they listen on', () => {
    const published = Object.entries(compose.services).flatMap(([name, { ports }]) => ports.map((p) => [name, p]))
    expect(published).toEqual([
      ['api', `127.0.0.1:8000:${configOf(serviceNamed('api')).apiPort}`],
      ['sqs', '127.0.0.1:4566:4566'],
    ])
  })

  it('has no token in it: it comes from .env, and without one no client may write', () => {
    expect(read('docker-compose.yml').match(/TOKEN:.*/g)).toEqual([
      expect.stringMatching(/^TOKEN: "\$\{ADMIN_TOKEN:-\}"/),
    ])
    expect(configOf(serviceNamed('api')).adminTokens).toBeUndefined()
    const token = '0123456789abcdef'
    const { services } = readCompose({ ADMIN_TOKEN: token })
    expect(configOf(service.parse({ ...services['api'] })).adminTokens).toEqual([token])
  })

  it('the HTTP page has the line that adds a token to .env', () => {
    const lines = read('docs/reference/http.md').split('\n')
    const line = lines.find((line) => line.includes('ADMIN_TOKEN=') && line.includes('.env')) ?? ''
    const cwd = temporaryFolder()
    const { status, stderr } = spawnSync('sh', ['-c', line], { cwd, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    const env = parseEnv(readFileSync(join(cwd, '.env'), 'utf8'))
    expect(readConfig(env).adminTokens).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)])
  })

  it('gives each service a root file system that it cannot write to, no capability and no way to get one', () => {
    // The schema above has read_only, cap_drop and security_opt as required; only root would need what they take away.
    expect(serviceNamed('redis').user).toBe('redis')
    for (const [name, { volumes, tmpfs }] of Object.entries(compose.services)) {
      expect([name, volumes.length > 0 || tmpfs !== undefined]).toEqual([name, true])
    }
  })

  it('gives Redis a maxmemory, and each service a limit: that of Redis has room for a copy while it rewrites its file', () => {
    const megabytes = (text = ''): number => Number(/^(\d+)(m|mb)$/.exec(text)?.[1])
    const { command, mem_limit } = serviceNamed('redis')
    const maxmemory = megabytes(command[command.indexOf('--maxmemory') + 1])
    expect(maxmemory).toBeGreaterThan(0)
    expect(megabytes(mem_limit)).toBeGreaterThanOrEqual(2 * maxmemory)
  })

  it('waits for what it depends on to be healthy', () => {
    for (const [, { depends_on }] of ours) {
      expect(depends_on).toEqual({ redis: { condition: 'service_healthy' }, sqs: { condition: 'service_healthy' } })
    }
  })

  it('builds one image for all roles once, never pulls it, and builds one for SQS', () => {
    const built = ours.filter(([, { build }]) => build === '.').map(([name]) => name)
    expect(built).toEqual(['api'])
    for (const [, { image, pull_policy }] of ours) {
      expect({ image, pull_policy }).toEqual({ image: 'orders', pull_policy: 'never' })
    }
    expect(serviceNamed('sqs').build).toEqual({ context: '.', target: 'sqs' })
    expect(serviceNamed('redis').image).toMatch(/^redis:\d+\.\d+\.\d+$/)
  })

  it('keeps data in volumes that it declares', () => {
    const mounted = new Set(Object.values(compose.services).flatMap(({ volumes }) => volumes))
    const places = Object.keys(compose.volumes).map((name) => `${name}:${name === 'archive' ? '/archive' : '/data'}`)
    expect(mounted).toEqual(new Set(places))
  })

  it.each(ours)('%s: the healthcheck asks a route that is there, at the port it is served', (name, one) => {
    const { apiPort, metricsPort } = configOf(one)
    const { hostname, port, pathname } = healthUrl(one)
    expect(routes.map(({ path }) => path)).toContain(pathname)
    expect([hostname, port]).toEqual(['127.0.0.1', `${name === 'api' ? apiPort : metricsPort}`])
  })

  it.each(ours)('%s: the healthcheck passes on 200, and fails on 503 and on no answer', async (_, one) => {
    let status = 200
    const server = await serve((request, response) => {
      response.writeHead(request.url === healthUrl(one).pathname ? status : 404).end('{}')
    })
    const command = healthCommand(one, server.port)
    expect(await exitCode(command)).toBe(0)
    status = 503
    expect(await exitCode(command)).toBe(1)
    server.close()
    server.closeAllConnections()
    expect(await exitCode(command)).toBe(1)
  })
})

const installed = (program: string): boolean => spawnSync(program, ['--version']).status === 0
const noRedis = Boolean(process.env['SKIP_REDIS_TESTS']) || !installed('redis-server')

describe.skipIf(noRedis)('redis of docker-compose.yml', () => {
  async function startRedis(): Promise<{ server: ChildProcess; port: number }> {
    const port = await freePort()
    const here = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', temporaryFolder()]
    return { server: launch([...serviceNamed('redis').command, ...here]), port }
  }

  it('runs with the arguments it is given: every write in a log, nothing ever evicted', async () => {
    const { port } = await startRedis()
    const redis = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null })
    redis.on('error', () => {})
    try {
      expect(await redis.ping()).toBe('PONG')
      const wanted = {
        appendonly: 'yes',
        appendfsync: 'everysec',
        save: '',
        'maxmemory-policy': 'noeviction',
        maxmemory: `${512 * 2 ** 20}`,
      }
      for (const [name, value] of Object.entries(wanted)) expect(await redis.config('GET', name)).toEqual([name, value])
    } finally {
      redis.disconnect()
    }
  })

  it.skipIf(!installed('redis-cli'))('is healthy when it answers, and not when it refuses or is gone', async () => {
    const { server, port } = await startRedis()
    const command = healthCommand(serviceNamed('redis'), port)
    await healthy(command)
    expect(await exitCode(['redis-cli', '-p', `${port}`, 'config', 'set', 'requirepass', 'secret'])).toBe(0)
    expect(await exitCode(command)).toBe(1)
    await end(server)
    expect(await exitCode(command)).toBe(1)
  })
})

describe('sqs of docker-compose.yml', () => {
  /** In a container it may listen on every interface; here it may not. */
  const onLoopback = `import { subscribe } from 'node:diagnostics_channel'
    subscribe('tracing:net.server.listen:asyncStart', ({ options }) => { options.host = '127.0.0.1' })`

  function startSqs(port: number, folder: string): ChildProcess {
    const [program = '', ...args] = argv('sqs', 'CMD').map((word) => word.replace("'/data'", JSON.stringify(folder)))
    const hook = `data:text/javascript,${encodeURIComponent(onLoopback)}`
    return launch([program, '--import', hook, ...args], { FAUXQS_PORT: `${port}` })
  }

  it('is healthy when it answers and not when it is gone, and keeps its messages over a kill', async () => {
    const [port, folder] = [await freePort(), temporaryFolder()]
    const command = healthCommand(serviceNamed('sqs'), port)
    const first = startSqs(port, folder)
    await healthy(command)
    const environment = { ...environmentOf(serviceNamed('bridge')), AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` }
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
    using queue = await openQueue(readConfig(environment))
    await queue.sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'kept' }))
    await end(first)
    expect(await exitCode(command)).toBe(1)
    startSqs(port, folder)
    await healthy(command)
    const AttributeNames = ['ApproximateNumberOfMessages' as const]
    const { Attributes } = await queue.sqs.send(new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames }))
    expect(Attributes).toEqual({ ApproximateNumberOfMessages: '1' })
  })

  it('listens where the other services and the healthcheck look for it', () => {
    expect(configOf(serviceNamed('bridge')).awsEndpointUrl).toBe(`http://sqs:${healthUrl(serviceNamed('sqs')).port}`)
    expect(all('sqs', 'ENV')).toEqual([])
    expect(serviceNamed('sqs')).toMatchObject({ command: [], environment: {} })
  })
})

describe('Dockerfile', () => {
  it('has the Node of package.json, 24 or later', () => {
    const { node = '' } = packageJson.devDependencies
    expect(Number(node.split('.')[0])).toBeGreaterThanOrEqual(24)
    const [base, ...others] = stages.map(({ from }) => from)
    expect(base).toBe(`node:${node}-slim`)
    expect(new Set(others)).toEqual(new Set([stages[0]?.name, 'scratch']))
  })

  it('has the SQS emulator of package.json', () => {
    const [install = ''] = all('sqs', 'RUN')
    expect(install).toContain(` npm install --ignore-scripts fauxqs@${packageJson.devDependencies['fauxqs']} `)
  })

  it.each(targetNames)('%s: does not run as root', (target) => {
    expect(all(target, 'USER')).toEqual(['node'])
  })

  it('lets the user of sqs write where the volume is mounted', () => {
    const [, folder = ''] = serviceNamed('sqs').volumes[0]?.split(':') ?? []
    expect(all('sqs', 'RUN').join('\n')).toContain(`mkdir -p ${folder} && chown node ${folder}`)
    expect(argv('sqs', 'CMD').join(' ')).toContain(`dataDir: '${folder}'`)
  })

  it('is by default the roles, without development dependencies and install scripts', () => {
    expect(targetNames).toEqual(['sqs', 'orders'])
    expect(all('dependencies', 'RUN').join('\n')).toContain('npm ci --omit=dev --omit=optional --ignore-scripts')
    expect(argv('orders', 'ENTRYPOINT')).toEqual(['node', packageJson.bin['orders']])
    expect(argv('orders', 'CMD')).toEqual(['--help'])
  })

  it('copies what is there and what .dockerignore lets through', () => {
    const copied = [...all('dependencies', 'COPY'), ...all('orders', 'COPY')].filter(
      (rest) => !rest.startsWith('--from='),
    )
    const sources = copied.flatMap((rest) => rest.split(' ').slice(0, -1))
    expect(sources).toEqual(
      expect.arrayContaining(['package.json', 'package-lock.json', '.npmrc', 'src', 'docs/runbook.md']),
    )
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true)
      expect(read('.dockerignore').split('\n')).not.toContain(source)
    }
    expect(existsSync(join(root, ...argv('orders', 'ENTRYPOINT').slice(1)))).toBe(true)
  })
})
