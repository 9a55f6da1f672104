import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Docker, image, requireEngine } from '../support/containers/opened.ts'
import { redisImage } from '../support/find-redis.ts'
import { root } from '../support/markdown.ts'
import { until } from '../support/until.ts'

const inside = (docker: Docker, script: string): Promise<string> =>
  docker('run', '--rm', '--network', 'none', '--entrypoint', 'sh', image, '-c', script)

test('the image has what runs, and no more', async (context) => {
  const docker = await requireEngine(context)
  const layers = await docker('history', '--format', '{{.Size}}\t{{.CreatedBy}}', '--no-trunc', image)
  const size = (pattern: RegExp): number => {
    const [, text = '', unit] = new RegExp(`^([\\d.]+)([kM]?)B\t.*${pattern.source}`, 'm').exec(layers) ?? []
    return Number(text) / (unit === 'M' ? 1 : unit === 'k' ? 1_000 : 1e6)
  }
  const [system, dependencies, code] = [size(/COPY \/ \//), size(/COPY \/app \./), size(/COPY src src/)]
  const shown = [system, dependencies, code].map((megabytes) => Math.round(megabytes))
  process.stdout.write(
    `Image: ${shown[0]} MB of system and Node, ${shown[1]} MB of dependencies, ${shown[2]} MB of code\n`,
  )
  expect(system).toBeGreaterThan(100) // the sizes are those of the layers that are meant
  expect(dependencies + code).toBeLessThan(60)
  expect(code).toBeGreaterThan(0.5)
  const unread =
    "! -iname 'licen[cs]e*' ( -name '*.map' -o -name '*.d.ts' -o -name '*.md' -o -name typescript -o -name vitest )".replaceAll(
      /[()]/g,
      '\\$&',
    )
  expect(await inside(docker, `find /app/node_modules ${unread}; command -v npm npx corepack; true`)).toBe('')
})

test('it runs as a user without rights, on a file system that cannot be written', async (context) => {
  const docker = await requireEngine(context)
  expect((await inside(docker, 'id -u')).trim()).toBe('1000')
  expect(await inside(docker, 'touch /app/x 2>/dev/null || echo refused')).toBe('refused\n')
  const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true', '--network', 'none']
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  expect(await docker('run', '--rm', ...hardened, image, '--version')).toBe(`${version}\n`)
  expect(await docker('run', '--rm', ...hardened, '--entrypoint', 'orders', image, '--version')).toBe(`${version}\n`)
})

const flag = z.boolean().optional()
const packages = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional(), dev: flag, devOptional: flag, optional: flag }),
  ),
})
const sbom = z.object({
  bomFormat: z.literal('CycloneDX'),
  components: z.array(z.object({ group: z.string().optional(), name: z.string(), version: z.string() })),
})

test('it has its code compiled: a start reads it on a file system that cannot be written', async (context) => {
  const docker = await requireEngine(context)
  const log = ['--env', 'NODE_DEBUG_NATIVE=COMPILE_CACHE', '--entrypoint', 'sh']
  const start = 'node src/ops/orders.js run --help 2>&1'
  const printed = await docker('run', '--rm', '--read-only', '--network', 'none', ...log, image, '-c', start)
  expect(printed.match(/ was accepted/g)?.length).toBeGreaterThan(20)
  expect(printed).not.toMatch(/was rejected|reading cache .*not found/)
})

test('its label leads to a list of every package in it', async (context) => {
  const docker = await requireEngine(context)
  const file = (await docker('inspect', '--format', '{{index .Config.Labels "sbom"}}', image)).trim()
  const { components } = sbom.parse(JSON.parse(await inside(docker, `cat ${file}`)))
  const listed = components.map(({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`)
  const lock = packages.parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')))
  const production = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional, optional }]) => path !== '' && !dev && !devOptional && !optional)
    .map(([path, { version }]) => `${path.replace(/.*node_modules\//, '')}@${version}`)
  expect(production.length).toBeGreaterThan(100)
  expect(new Set(listed)).toEqual(new Set(production))
})

test('a role is healthy when it makes progress, unhealthy when it does not, and stops with exit code 0', async (context) => {
  const docker = await requireEngine(context)
  const name = `orders-image-${randomBytes(3).toString('hex')}`
  const redis = `${name}-redis`
  await using stack = new AsyncDisposableStack()
  await docker('network', 'create', name)
  stack.defer(async () => void (await docker('network', 'rm', name)))
  stack.defer(async () => void (await docker('rm', '--force', '--volumes', name, redis)))
  await docker('run', '--detach', '--name', redis, '--network', name, redisImage)
  const often = [
    '--health-interval',
    '1s',
    '--health-timeout',
    '2s',
    '--health-retries',
    '1',
    '--health-start-period',
    '0s',
  ]
  const env = { REDIS_HOST: redis, START_WAIT_MS: '20000' }
  const variables = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`])
  await docker(
    'run',
    '--detach',
    '--init',
    '--name',
    name,
    '--network',
    name,
    ...often,
    ...variables,
    image,
    'run',
    'validate',
  )
  const health = async (wanted: string): Promise<void> => {
    const inspect = (): Promise<string> => docker('inspect', '--format', '{{.State.Health.Status}}', name)
    await until(`health ${wanted}`, inspect, (status) => status.trim() === wanted)
  }
  await health('healthy')
  await docker('exec', name, 'sh', '-c', 'kill -STOP $(cat /proc/1/task/1/children)')
  await health('unhealthy')
  await docker('exec', name, 'sh', '-c', 'kill -CONT $(cat /proc/1/task/1/children)')
  await health('healthy')
  await docker('stop', '--time', '10', name)
  expect((await docker('inspect', '--format', '{{.State.ExitCode}}', name)).trim()).toBe('0')
})
