import { expect, test } from 'vitest'
import { expectCounted } from '../support/containers/counted.ts'
import { allOf } from '../support/containers/k8s/all-of.ts'
import { openClient } from '../support/containers/k8s/clients.ts'
import { runJob } from '../support/containers/k8s/job.ts'
import { environmentOf, type Manifests } from '../support/containers/k8s/manifests.ts'
import { openOverlay } from '../support/containers/k8s/overlay.ts'
import { placesOf } from '../support/containers/k8s/places.ts'
import { allowedEdges, nameOf } from '../support/containers/k8s/policies.ts'
import { reachedFrom } from '../support/containers/k8s/reached.ts'
import { around, openSystem, type System } from '../support/containers/k8s/system.ts'
import { requireEngine } from '../support/containers/opened.ts'
import { Oracle } from '../support/oracle.ts'
import { blocksOf } from '../support/pages/blocks.ts'
import { linesFor, verbOf } from '../support/pages/shown.ts'
import { traffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'

/** The Job that the page has the reader save. */
const [{ text: job = '' } = {}] = blocksOf('docs/how-to/kubernetes.md').filter(({ language }) => language === 'yaml')
const roles = ['aggregate', 'api', 'bridge', 'calendar', 'jobs', 'leaderboard', 'validate']

/** Orders each time. Every start of a Pod takes seconds of CPU, and the slowest machine has two cores. */
const few = { valid: 10, invalid: 2 }

const secret = 'kubectl -n orders create secret generic orders --from-env-file=orders.secret'
const rendering = 'kubectl kustomize deploy/k8s/overlays/single-redis'
const inPods = linesFor('kubectl').filter((line) => verbOf(line) === 'exec')
const others = linesFor('kubectl').filter((line) => ![secret, rendering, ...inPods].includes(line))

test('each other kubectl line of the pages asks an API server, which cannot be had here', async () => {
  using overlay = await openOverlay('single-redis')
  overlay.save('repartition.yaml', job)
  const complaints = await allOf(others.map((line) => overlay.complaint(line)))
  expect(complaints.filter((complaint) => complaint !== undefined)).toEqual([])
})

test('overlays/redis-cluster has Pods and connections of the same kind, with a Redis Cluster in their environment', async () => {
  using overlay = await openOverlay('redis-cluster')
  using other = await openOverlay('single-redis')
  const [manifests, others] = [await overlay.render(secret), await other.render(secret)]
  const edgesOf = (one: Manifests): string[] => allowedEdges(one.policies, placesOf(one)).map(nameOf)
  expect(edgesOf(manifests)).toEqual(edgesOf(others))
  for (const { spec } of manifests.deployments) {
    const environment = environmentOf(manifests, spec.template.spec.containers[0])
    expect(environment).toMatchObject({ REDIS_CLUSTER: 'true', PARTITIONS: '22', SQS_DELETE_AFTER: 'replicas:1' })
  }
})

/** Runs the part of a line after `--` in a container of its Deployment. */
function execute(system: System, line: string): Promise<string> {
  const [, role = '', command = ''] = /exec deploy\/(\w+) -- (.+)$/.exec(line) ?? []
  return system.exec(role, ...command.split(' '))
}

test('the Pods of overlays/single-redis count exactly while every role is rolled out, and on new partitions', async (context) => {
  const docker = await requireEngine(context)
  using overlay = await openOverlay('single-redis')
  const manifests = await overlay.render(secret)
  await using system = await openSystem(docker, manifests)
  const allowed = system.edges.filter(({ from }) => from.name !== 'command').map(nameOf) // that Pod runs later
  expect((await reachedFrom(system, [...roles, ...around])).toSorted()).toEqual(allowed.toSorted())

  const oracle = new Oracle()
  {
    await using _ = traffic(system.sqs, oracle, few)
    await using client = openClient(system.url)
    const ended = await system.rollOut(manifests)
    expect(ended.filter(({ exitCode, restarts }) => exitCode !== 0 || restarts !== 0)).toEqual([])
    expect(ended).toHaveLength(roles.length)
    expect(client.failures).toEqual([])
    const sent = `${oracle.received} orders sent, ${client.replies} requests answered`
    process.stdout.write(`Rollout of every role: ${ended.length} Pods replaced, ${sent}\n`)
  }
  await expectCounted(system.url, oracle)
  for (const line of inPods) await execute(system, line)

  {
    await using _ = traffic(system.sqs, oracle, few)
    expect(await runJob(system, job, manifests, 'Paused')).toContain('Done: start every process with PARTITIONS=8')
    const pods = system.roles.flatMap((role) => role.pods())
    for (const pod of pods) await until(`${pod.name} to end, and be refused`, pod.restarts)
    overlay.set('PARTITIONS=8')
    await system.rollOut(await overlay.render(secret))
  }
  await expectCounted(system.url, oracle)
  expect(system.faults).toEqual([])
})
