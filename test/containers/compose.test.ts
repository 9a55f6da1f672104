import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { changePartitions } from '../support/containers/change-partitions.ts'
import { expectCounted } from '../support/containers/counted.ts'
import { requireEngine } from '../support/containers/opened.ts'
import { kill, openProject, type Project } from '../support/containers/project.ts'
import { withoutBlocks } from '../support/markdown.ts'
import { Oracle } from '../support/oracle.ts'
import { blocksOf, type Example, examplesOf, pages, readPage } from '../support/pages/blocks.ts'
import { isAsShown } from '../support/pages/compare.ts'
import { simpleCommands } from '../support/pages/shell.ts'
import { sendBodies } from '../support/send.ts'
import { traffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'

const roles = ['bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api']

/** Every command for docker that a page has, in a block or within a sentence. */
const allShown = pages.flatMap((page) => {
  const lines = examplesOf(blocksOf(page)).flatMap(({ line }) => simpleCommands(line).map(({ source }) => source))
  const inline = [...withoutBlocks(readPage(page)).matchAll(/`(docker [^`]+)`/g)].map(([, command = '']) => command)
  return [...lines.filter((source) => source.startsWith('docker ')), ...inline]
})

/** Commands that stand in sentences or on other pages, with the word that a reader fills in. */
const others: Readonly<Record<string, string>> = {
  'docker compose build': 'docker compose build',
  'docker compose logs <service>': 'docker compose logs validate',
  'docker build -t <your registry>/orders:<version> .': 'docker build -t registry.example/orders:1 .',
}
/** Commands of docs/how-to/on-your-platform.md for containers that run. */
const onRunning = [
  'docker compose restart validate',
  'docker compose logs --tail=1 validate',
  'docker compose stop bridge validate aggregate leaderboard jobs api',
]
const deepCheck = 'docker compose run --rm api verify --deep'
const restart = 'docker compose up --detach --wait'
const lastOfAll = 'docker compose down --volumes'

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
  const page = examplesOf(blocksOf('docs/how-to/compose.md'))
  const isDown = ({ line }: Example): boolean => line === 'docker compose down'
  expect(page.filter(isDown)).toHaveLength(1)
  // Each command once: an upgrade is the same as a start.
  const lines = page.map(({ line }) => line)
  const steps = page.filter((one, at) => !isDown(one) && lines.indexOf(one.line) === at)
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

  for (const example of page.filter(isDown)) expect(await follow(project, example)).toEqual([])
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
  const ran = [
    ...page.map(({ line }) => line),
    ...Object.keys(others),
    ...onRunning,
    ...changePartitions,
    restart,
    lastOfAll,
  ]
  expect(allShown.filter((command) => !ran.includes(command))).toEqual([])
})
