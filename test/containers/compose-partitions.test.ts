import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { expectCounted } from '../support/containers/counted.ts'
import { changePartitions } from '../support/containers/docker-lines.ts'
import { requireEngine } from '../support/containers/opened.ts'
import { openProject } from '../support/containers/project.ts'
import { Oracle } from '../support/oracle.ts'
import { sendBodies } from '../support/send.ts'

test('the commands of docs/how-to/change-partitions.md move a system of docker-compose.yml to 8 partitions', async (context) => {
  const docker = await requireEngine(context)
  await using project = await openProject(docker)
  const { shell } = project
  const oracle = new Oracle()
  const send = async (seed: number): Promise<void> => {
    const bodies = [...sampleOrders({ valid: 200, invalid: 5, users: 50, seed })].map(({ body }) => body)
    for (const body of bodies) oracle.take(body)
    await sendBodies(project.env, bodies)
    await expectCounted(project.url, oracle)
  }
  const [repartition, start, verify] = changePartitions
  await shell(start)
  await send(1)
  expect(await shell(repartition)).toContain('Done: start every process with PARTITIONS=8')
  project.addToEnv('PARTITIONS=8')
  await shell(start)
  await expectCounted(project.url, oracle)
  await send(2)
  expect(await shell(verify)).toContain('Everything balances.')
})
