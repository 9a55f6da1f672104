import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openQueues } from '../../src/control/job-queues.ts'
import { requireRealRedis } from '../support/requires.ts'
import { until } from '../support/until.ts'
import { emptyRedis, envOf } from '../support/world.ts'

/** npm itself, called as a shell does that has swallowed the `--`. */
function spawnNpm(
  args: readonly string[],
  env: Record<string, string>,
): { npm: ChildProcess; output(): string; ended: Promise<unknown[]> } {
  const npm = spawn('npm', args, {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(npm, 'close') // from the start: it may end while the test asks for something else
  onTestFinished(() => void npm.kill('SIGTERM'))
  let output = ''
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  return { npm, output: () => output, ended }
}

test('npm run replay 7 --dry-run, which npm takes the flag of, replays nothing for real', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await using queues = openQueues(world.redis)
  const { npm, output, ended } = spawnNpm(['run', 'replay', '7', '--dry-run'], envOf(world.url))
  await until('its job', async () => output().includes('Job ') || npm.exitCode !== null)
  const [job] = await queues.replay.getJobs()
  expect(job?.data).toMatchObject({ limit: 7, dryRun: true })
  expect(output()).toContain('orders to judge.')
  npm.kill('SIGTERM')
  await ended
})

test('npm run populate --valid 5 --invalid 1, which npm takes the flags of, is refused with the form that works', async () => {
  const { output, ended } = spawnNpm(['run', 'populate', '--valid', '5', '--invalid', '1'], {
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
  })
  expect((await ended)[0]).toBe(2)
  expect(output()).toContain(
    'orders populate: npm took --valid and --invalid as its own, so the command did not get them: use npx orders populate --valid N --invalid N, the form that works everywhere.\n',
  )
})
