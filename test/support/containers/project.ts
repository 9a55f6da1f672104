import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from '../debian/run.ts'
import { root } from '../markdown.ts'
import { removeOnExit } from '../on-exit.ts'
import { freePort } from '../redis-server.ts'
import { adminToken, type Env } from '../world.ts'
import { killContainer } from './kill.ts'
import type { Docker } from './opened.ts'

/** The project of docker-compose.yml on ports of its own, in a copy of the checkout: its .env plays no part. */
export interface Project extends AsyncDisposable {
  /** Of commands on the host, as the page has them. */
  readonly env: Env
  readonly url: string
  readonly name: string
  compose(...args: readonly string[]): Promise<string>
  /** Adds a line to .env. */
  addToEnv(line: string): void
  /** Runs a line of a page in the project's folder. */
  shell(line: string, timeoutMs?: number): Promise<string>
}

export async function openProject(docker: Docker): Promise<Project> {
  const folder = mkdtempSync(join(tmpdir(), 'orders-compose-'))
  const removing = removeOnExit(folder)
  const listed = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root })
  for (const file of listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  writeFileSync(join(folder, '.env'), `ADMIN_TOKEN=${adminToken}\nCLAIM_IDLE_MS=1000\n`)
  const [apiPort, sqsPort] = [await freePort(), await freePort()]
  const name = `orders-${apiPort}`
  const env = {
    ...docker.env,
    API_PORT: `${apiPort}`,
    SQS_PORT: `${sqsPort}`,
    COMPOSE_PROJECT_NAME: name,
    AWS_REGION: 'us-east-1',
    SQS_QUEUE_NAME: 'orders',
    ADMIN_TOKEN: adminToken,
  }
  const compose = (...args: readonly string[]): Promise<string> =>
    run('docker', ['compose', ...args], { cwd: folder, env: { ...env, COMPOSE_PROGRESS: 'plain' } })
  const bin = join(root, 'node_modules/.bin')
  const shell = (line: string, timeoutMs = 0): Promise<string> => {
    const here = line
      .replaceAll('localhost:8000', `localhost:${apiPort}`)
      .replaceAll('localhost:4566', `localhost:${sqsPort}`)
      .replace(/^curl /, 'curl -sS ')
      .replace('npx orders', `${process.execPath} ${join(root, 'src/ops/orders.js')}`)
    return run('sh', ['-c', here], { cwd: folder, timeoutMs, env: { ...env, PATH: `${bin}:${process.env['PATH']}` } })
  }
  const close = async (): Promise<void> => {
    await compose('down', '--volumes', '--rmi', 'local', '--timeout', '2')
    await docker('rmi', '--force', `${name}-orders`)
    removing[Symbol.dispose]()
  }
  const sqs = { AWS_ENDPOINT_URL: `http://127.0.0.1:${sqsPort}`, AWS_REGION: 'us-east-1', SQS_QUEUE_NAME: 'orders' }
  const addToEnv = (line: string): void => appendFileSync(join(folder, '.env'), `${line}\n`)
  return { env: sqs, name, addToEnv, url: `http://127.0.0.1:${apiPort}`, compose, shell, [Symbol.asyncDispose]: close }
}

/** Kills a service's container, and waits until it is up again. */
export async function kill({ compose }: Project, docker: Docker, service: string): Promise<void> {
  const [id = ''] = (await compose('ps', '--quiet', service)).split('\n')
  await killContainer(docker, id)
}
