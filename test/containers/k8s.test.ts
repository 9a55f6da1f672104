import { appendFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectCounted } from '../support/containers/counted.ts'
import { openKubectl } from '../support/containers/k8s/kubectl.ts'
import { readManifests } from '../support/containers/k8s/manifests.ts'
import { redisPassword, sqsPort } from '../support/containers/k8s/servers.ts'
import { openSystem } from '../support/containers/k8s/system.ts'
import { requireEngine } from '../support/containers/opened.ts'
import { root } from '../support/markdown.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { Oracle } from '../support/oracle.ts'
import { traffic } from '../support/traffic.ts'
import { adminToken } from '../support/world.ts'

test('the Deployments count exactly while every role is rolled out', async (context) => {
  const docker = await requireEngine(context)
  const folder = mkdtempSync(join(tmpdir(), 'orders-k8s-'))
  using _ = removeOnExit(folder)
  cpSync(join(root, 'deploy/k8s'), join(folder, 'deploy/k8s'), { recursive: true })
  appendFileSync(join(folder, 'deploy/k8s/base/orders.env'), `AWS_ENDPOINT_URL=http://sqs:${sqsPort}\n`)
  writeFileSync(
    join(folder, 'orders.secret'),
    `REDIS_URL=redis://:${redisPassword}@redis:6379\nADMIN_TOKEN=${adminToken}\n`,
  )
  const kubectl = await openKubectl(folder)
  const secret = await kubectl(
    ...'-n orders create secret generic orders --from-env-file=orders.secret --dry-run=client -o yaml'.split(' '),
  )
  const render = async () =>
    readManifests(`${await kubectl('kustomize', 'deploy/k8s/overlays/single-redis')}---\n${secret}`)
  const t0 = performance.now()
  const lap = (what: string) => process.stdout.write(`${what} ${Math.round(performance.now() - t0)} ms\n`)
  await using system = await openSystem(docker, await render())
  lap('open')
  console.error(system.edges.map(({ from, to }) => `${from.name} → ${to.name}`))
  const oracle = new Oracle()
  {
    await using _ = traffic(system.sqs, oracle, { invalid: 2 })
    const ended = await system.rollOut(await render())
    lap('rolled')
    console.error(ended)
  }
  await expectCounted(system.url, oracle)
  lap('counted')
  expect(system.faults).toEqual([])
})
