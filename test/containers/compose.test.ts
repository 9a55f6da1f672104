import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { type Docker, image, requireEngine } from '../support/containers/opened.ts'
import { run } from '../support/containers/run.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { root } from '../support/markdown.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { Oracle } from '../support/oracle.ts'
import { blocksOf, type Example, examplesOf } from '../support/pages/blocks.ts'
import { isAsShown } from '../support/pages/compare.ts'
import { simpleCommands } from '../support/pages/shell.ts'
import { freePort } from '../support/redis-server.ts'
import { sendBodies } from '../support/send.ts'
import { traffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'
import { adminToken, type Env } from '../support/world.ts'

/** The project of docker-compose.yml on ports of its own, in a copy of the checkout: its .env plays no part. */
interface Project extends AsyncDisposable {
  /** Of commands on the host, as the page has them. */
  readonly env: Env
  readonly url: string
  compose(...args: readonly string[]): Promise<string>
  /** Runs a line of a page in the project's folder. */
  shell(line: string): Promise<string>
}

const roles = ['bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api']

async function openProject(docker: Docker): Promise<Project> {
  const folder = mkdtempSync(join(tmpdir(), 'orders-compose-'))
  const removing = removeOnExit(folder)
  const listed = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root })
  for (const file of listed.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  writeFileSync(join(folder, '.env'), `ADMIN_TOKEN=${adminToken}\nCLAIM_IDLE_MS=1000\n`)
  const [apiPort, sqsPort] = [await freePort(), await freePort()]
  const env = {
    ...docker.env,
    API_PORT: `${apiPort}`,
    SQS_PORT: `${sqsPort}`,
    COMPOSE_PROJECT_NAME: `orders-${apiPort}`,
  }
  const compose = (...args: readonly string[]): Promise<string> =>
    run('docker', ['compose', ...args], { cwd: folder, env: { ...env, COMPOSE_PROGRESS: 'plain' } })
  const bin = join(root, 'node_modules/.bin')
  const shell = (line: string): Promise<string> => {
    const here = line
      .replaceAll('localhost:8000', `localhost:${apiPort}`)
      .replaceAll('localhost:4566', `localhost:${sqsPort}`)
      .replace(/^curl /, 'curl -sS ')
      .replace('npx orders', `${process.execPath} ${join(root, 'src/ops/orders.js')}`)
    return run('sh', ['-c', here], { cwd: folder, env: { ...env, PATH: `${bin}:${process.env['PATH']}` } })
  }
  const close = async (): Promise<void> => {
    await compose('down', '--volumes', '--timeout', '2')
    removing[Symbol.dispose]()
  }
  const sqs = { AWS_ENDPOINT_URL: `http://127.0.0.1:${sqsPort}`, AWS_REGION: 'us-east-1', SQS_QUEUE_NAME: 'orders' }
  return { env: sqs, url: `http://127.0.0.1:${apiPort}`, compose, shell, [Symbol.asyncDispose]: close }
}

/** Runs a line of a page until it prints what the page shows. Returns what was wrong. */
async function follow({ shell }: Project, { at, line, expected }: Example): Promise<string[]> {
  const complaints: string[] = []
  for (const { source } of simpleCommands(line)) {
    if (source === 'git pull') continue // the checkout is the release under test
    const isEndless = source.includes('--follow')
    const ask = (): Promise<string> => (isEndless ? shell(`timeout 3 ${source} || true`) : shell(source))
    const isShown = (printed: string): boolean => (expected ? isAsShown(expected, printed) : true)
    const output = await until(source, ask, isShown, 30_000).catch(String)
    if (expected && !isShown(output)) complaints.push(`${at}: ${source}\nprints\n${output}`)
    if (output.startsWith('Error:')) complaints.push(`${at}: ${output}`)
    if (isEndless && !output.includes('"msg":"started"')) complaints.push(`${at}: ${source}\nprints\n${output}`)
  }
  return complaints
}

/** Kills a service's container as the system would, from outside of it, and waits until its restart policy has it up again. */
async function kill({ compose }: Project, docker: Docker, service: string): Promise<void> {
  const [id = ''] = (await compose('ps', '--quiet', service)).split('\n')
  const state = async (): Promise<string[]> =>
    (await docker('inspect', '--format', '{{.State.Pid}} {{.RestartCount}} {{.State.Status}}', id)).trim().split(' ')
  const [pid = '', restarts] = await state()
  await docker('run', '--rm', '--pid', 'host', '--user', '0', '--entrypoint', 'sh', image, '-c', `kill -9 ${pid}`)
  await until(`${service} to be up again`, state, ([, again, status]) => again !== restarts && status === 'running')
}

async function expectCounted({ url }: Project, oracle: Oracle): Promise<void> {
  const get = getFrom(url)
  const total = async (): Promise<unknown> => (await get('/stats/global').catch(() => ({}) as never))['total_orders']
  await until('every order to be counted', total, (orders) => orders === oracle.admitted)
  const ranked = async (): Promise<unknown> => (await get('/integrity'))['balanced']
  await until('every order to be ranked, and the books to balance', ranked)
  await expectStats(get, oracle)
}

test('docker-compose.yml does what its page says, and counts exactly while each service is killed', async (context) => {
  const docker = await requireEngine(context)
  await using project = await openProject(docker)
  const { compose, env } = project
  const page = examplesOf(blocksOf('docs/how-to/compose.md'))
  const isDown = ({ line }: Example): boolean => line === 'docker compose down'
  expect(page.filter(isDown)).toHaveLength(1)
  for (const example of page.filter((one) => !isDown(one))) expect(await follow(project, example)).toEqual([])
  const oracle = new Oracle()
  for (const { body } of sampleOrders({ valid: 50, invalid: 10, users: 100, seed: 7 })) oracle.take(body) // the page has sent them
  await expectCounted(project, oracle)

  await compose('up', '--detach', '--wait', '--scale', 'validate=4')
  {
    await using _ = traffic(env, oracle, { invalid: 2 })
    for (const service of [...roles, 'redis']) await kill(project, docker, service)
  }
  await kill(project, docker, 'sqs')
  await compose('up', '--detach', '--wait', '--no-recreate')
  const more = [...sampleOrders({ valid: 50, invalid: 2, users: 100, seed: 8 })].map(({ body }) => body)
  for (const body of more) oracle.take(body)
  await sendBodies(env, more)
  await expectCounted(project, oracle)
  await compose('run', '--rm', 'api', 'verify', '--deep')
  await compose('run', '--rm', 'api', 'doctor')
  expect(await compose('run', '--rm', 'api', 'replay', '10')).toContain('10')

  for (const example of page.filter(isDown)) expect(await follow(project, example)).toEqual([])
  await compose('up', '--detach', '--wait')
  await expectCounted(project, oracle)
  await compose('stop', '--timeout', '10')
  const ids = (await compose('ps', '--all', '--quiet', ...roles)).split('\n').filter(Boolean)
  const codes = await docker('inspect', '--format', '{{.State.ExitCode}}', ...ids)
  expect(codes.trim().split('\n')).toEqual(roles.map(() => '0'))
})
