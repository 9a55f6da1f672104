import { expect, test } from 'vitest'
import { expectCounted } from '../support/containers/counted.ts'
import { openClient } from '../support/containers/k8s/clients.ts'
import { runJob } from '../support/containers/k8s/job.ts'
import { environmentOf } from '../support/containers/k8s/manifests.ts'
import { openOverlay } from '../support/containers/k8s/overlay.ts'
import { placesOf } from '../support/containers/k8s/places.ts'
import { allowedEdges } from '../support/containers/k8s/policies.ts'
import { reachedFrom } from '../support/containers/k8s/reached.ts'
import { around, openSystem, type System } from '../support/containers/k8s/system.ts'
import { requireEngine } from '../support/containers/opened.ts'
import { withoutBlocks } from '../support/markdown.ts'
import { Oracle } from '../support/oracle.ts'
import { blocksOf, examplesOf, pages, readPage } from '../support/pages/blocks.ts'
import { simpleCommands } from '../support/pages/shell.ts'
import { traffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'

const page = 'docs/how-to/kubernetes.md'
const roles = ['aggregate', 'api', 'bridge', 'jobs', 'leaderboard', 'validate']

/** Orders each time. Every start of a Pod takes seconds of CPU, and the slowest machine has two cores. */
const few = { valid: 10, invalid: 2 }

/** Every connection that the policies allow, but that of the repartition's Pod: it runs later. */
const allowed = [
  ...roles.map((role) => `${role} → redis`),
  'bridge → sqs',
  ...roles.map((role) => `monitoring → ${role}`),
  'ingress → api',
]

/** Every line for kubectl that a page has, in a block or within a sentence. */
const allShown = pages.flatMap((name) => {
  const lines = examplesOf(blocksOf(name)).flatMap(({ line }) => simpleCommands(line).map(({ source }) => source))
  const inline = [...withoutBlocks(readPage(name)).matchAll(/`(kubectl [^`]+)`/g)].map(([, command = '']) => command)
  return [...lines.filter((source) => source.startsWith('kubectl ')), ...inline]
})

const secret = 'kubectl -n orders create secret generic orders --from-env-file=orders.secret'
const rendering = 'kubectl kustomize deploy/k8s/overlays/single-redis'
const inPods = [
  'kubectl -n orders exec deploy/bridge -- orders doctor',
  'kubectl -n orders exec deploy/api -- orders status',
]

/** Lines that need an API server, which cannot be had here, and the steps of the test in their place. */
const needApiServer: Readonly<Record<string, string>> = {
  'kubectl apply -f deploy/k8s/base/namespace.yaml': 'nothing: containers have no namespaces',
  'kubectl diff -k deploy/k8s/overlays/single-redis': 'kubectl kustomize renders the overlay; nothing is compared',
  'kubectl apply -k deploy/k8s/overlays/single-redis': 'kubectl kustomize renders the overlay; containers run its Pods',
  'kubectl -n orders rollout undo deployment/validate': 'a rollout of validate',
  'kubectl -n orders rollout restart deployment': 'a rollout of every role',
  'kubectl apply -f repartition.yaml': 'a container runs the Job',
  'kubectl -n orders wait --for=condition=complete --timeout=30m job/repartition': 'waits for the container',
  'kubectl -n orders logs job/repartition': 'docker logs',
  'kubectl -n orders delete job/repartition': 'docker rm',
  'kubectl -n orders logs deploy/validate': 'docker logs',
  'kubectl -n orders logs deploy/validate --tail=1': 'docker logs',
  'kubectl -n orders rollout restart deployment/validate': 'a rollout of validate',
  'kubectl -n orders rollout restart deployment/api': 'a rollout of api',
  'kubectl apply -f -': 'nothing: containers get its values at their start',
  'kubectl -n orders get pods': 'docker ps',
  'kubectl -n orders describe pod <pod>': 'docker inspect',
  'kubectl -n orders port-forward deploy/api 8000': 'the port of a container',
  'kubectl -n orders scale deployment/validate --replicas=2': 'nothing: containers have no replicas',
  'kubectl -n orders scale deployment/api --replicas=2': 'nothing: containers have no replicas',
  'kubectl -n orders scale deployment --all --replicas=2': 'nothing: containers have no replicas',
  'kubectl -n orders scale deployment --all --replicas=0': 'nothing: containers have no replicas',
  'kubectl -n orders annotate scaledobject --all autoscaling.keda.sh/paused-replicas-': 'nothing: there is no KEDA',
  'kubectl -n orders annotate scaledobject --all autoscaling.keda.sh/paused-replicas=0': 'nothing: there is no KEDA',
}

test('each kubectl line of the pages is run, or named as one that needs an API server', () => {
  expect(new Set(allShown)).toEqual(new Set([secret, rendering, ...inPods, ...Object.keys(needApiServer)]))
})

test('overlays/redis-cluster has Pods and connections of the same kind, with a Redis Cluster in their environment', async () => {
  using overlay = await openOverlay('redis-cluster')
  const manifests = await overlay.render(secret)
  const edges = allowedEdges(manifests.policies, placesOf(manifests)).map(({ from, to }) => `${from.name} → ${to.name}`)
  expect(edges.toSorted()).toEqual([...allowed, 'command → redis'].toSorted())
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
  const edges = system.edges.map(({ from, to }) => `${from.name} → ${to.name}`)
  expect(edges.toSorted()).toEqual([...allowed, 'command → redis'].toSorted())
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
    const [{ text: job = '' } = {}] = blocksOf(page).filter(({ language }) => language === 'yaml')
    expect(await runJob(system, job, manifests, 'Paused')).toContain('Done: start every process with PARTITIONS=8')
    const pods = system.roles.flatMap((role) => role.pods())
    for (const pod of pods) await until(`${pod.name} to end, and be refused`, pod.restarts)
    overlay.set('PARTITIONS=8')
    await system.rollOut(await overlay.render(secret))
  }
  await expectCounted(system.url, oracle)
  expect(system.faults).toEqual([])
})
