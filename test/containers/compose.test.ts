import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { expectCounted } from '../support/containers/counted.ts'
import { deepCheck, lastOfAll, ofCompose, onRunning, others, restart } from '../support/containers/docker-lines.ts'
import { requireEngine } from '../support/containers/opened.ts'
import { kill, openProject, type Project } from '../support/containers/project.ts'
import { Oracle } from '../support/oracle.ts'
import type { Example } from '../support/pages/blocks.ts'
import { isAsShown } from '../support/pages/compare.ts'
import { simpleCommands } from '../support/pages/shell.ts'
import { sendBodies } from '../support/send.ts'
import { traffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'

const roles = ['bridge', 'validate', 'calendar', 'aggregate', 'leaderboard', 'jobs', 'api']

/** Runs a line of a page until it prints what the page shows. Returns what was wrong. */
async function follow({ shell }: Project, { at, line, expected }: Example): Promise<string[]> {
  const complaints: string[] = []
  for (const { source } of simpleCommands(line)) {
    if (source === 'git pull') continue // the checkout is the release under test
    const isEndless = source.includes('--follow')
    const ask = (): Promise<string> => (isEndless ? shell(source, 3_000).catch(String) : shell(source))
    const isShown = (printed: string): boolean => (expected ? isAsShown(expected, printed) : true)
    const output = await until(source, ask, isShown, 30_000).catch(String)
    if (expected && !isShown(output)) complaints.push(`${at}: ${source}\nprints\n${output}`)
    if (!isEndless && output.startsWith('Error:')) complaints.push(`${at}: ${output}`)
    if (isEndless && !output.includes('"msg":"started"')) complaints.push(`${at}: ${source}\nprints\n${output}`)
  }
  return complaints
}

test('docker-compose.yml does what its page says, and counts exactly while each service is killed', async (context) => {
  const docker = await requireEngine(context)
  await using project = await openProject(docker)
  const { compose, shell, env } = project
  const isDown = ({ line }: Example): boolean => line === 'docker compose down'
  expect(ofCompose.filter(isDown)).toHaveLength(1)
  // Each command once: an upgrade is the same as a start.
  const lines = ofCompose.map(({ line }) => line)
  const steps = ofCompose.filter((one, at) => !isDown(one) && lines.indexOf(one.line) === at)
  for (const example of steps) expect(await follow(project, example)).toEqual([])
  const oracle = new Oracle()
  for (const { body } of sampleOrders({ valid: 50, invalid: 10, users: 100, seed: 7 })) oracle.take(body) // by the page
  await expectCounted(project.url, oracle)
  expect((await compose('ps', '--quiet', 'validate')).trim().split('\n')).toHaveLength(4)

  {
    await using _ = traffic(env, oracle, { invalid: 2 })
    for (const service of [...roles, 'redis']) await kill(project, docker, service)
  }
  await kill(project, docker, 'sqs')
  const more = [...sampleOrders({ valid: 50, invalid: 2, users: 100, seed: 8 })].map(({ body }) => body)
  for (const body of more) oracle.take(body)
  await until('SQS to answer again', () => fetch(`${env['AWS_ENDPOINT_URL']}/health`).then(Boolean, () => false))
  await sendBodies(env, more)
  await expectCounted(project.url, oracle)
  await shell(deepCheck)
  await compose('run', '--rm', 'api', 'doctor')
  expect(await compose('run', '--rm', 'api', 'replay', '10')).toContain('10')

  for (const example of ofCompose.filter(isDown)) expect(await follow(project, example)).toEqual([])
  for (const command of Object.values(others)) await shell(command)
  await shell(restart)
  for (const command of onRunning) await shell(command)
  await shell(restart)
  await expectCounted(project.url, oracle)
  await shell(deepCheck)
  await compose('stop', '--timeout', '10')
  const ids = (await compose('ps', '--all', '--quiet', ...roles)).split('\n').filter(Boolean)
  const codes = await docker('inspect', '--format', '{{.State.ExitCode}}', ...ids)
  expect(codes.trim().split('\n')).toEqual(roles.map(() => '0'))
  await shell(lastOfAll)
  expect(await docker('volume', 'ls', '--quiet', '--filter', `name=${project.name}`)).toBe('')
  await docker('rmi', 'registry.example/orders:1')
})
