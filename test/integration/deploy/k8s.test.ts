import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parseEnv } from 'node:util'
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject'
import { TriggerAuthentication } from '@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication'
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { Job } from 'kubernetes-models/batch/v1/Job'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Namespace } from 'kubernetes-models/v1/Namespace'
import { Service } from 'kubernetes-models/v1/Service'
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { metrics } from '../../../src/api/metrics/metrics.ts'
import { routes } from '../../../src/api/server.ts'
import { type Config, readConfig } from '../../../src/config/config.ts'
import { variables } from '../../../src/config/variables.ts'
import { loadCommands } from '../../../src/ops/cli.ts'
import { pipeline } from '../../../src/stages/pipeline.ts'
import { archiveRole, deployedRoles } from '../../support/deployed-roles.ts'
import { removeOnExit } from '../../support/on-exit.ts'
import { readExpression } from '../../support/promql.ts'

/** No cluster is needed: what would be applied is held against the published schemas, and against our own code. */
/** The archive is no part of the base: it needs a place of its own. */
const stages = pipeline.stages.filter(({ name }) => deployedRoles.includes(name))

const folder = join(import.meta.dirname, '../../../deploy/k8s')
const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(yaml|env)$/.test(file))
const kustomizations = files.filter((file) => basename(file) === 'kustomization.yaml')
const overlays = ['overlays/single-redis', 'overlays/redis-cluster']
/** In no overlay: one that has an archive adds it. */
const archiveComponent = 'components/archive'

const resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
})
type Resource = z.output<typeof resource>
const list = z.strictObject({ apiVersion: z.literal('v1'), kind: z.literal('List'), items: z.array(resource) })

function resourcesIn(text: string): Resource[] {
  return parseAllDocuments(text, { merge: true }).flatMap((document) => {
    const given: unknown = document.toJS()
    return list.safeParse(given).data?.items ?? [resource.parse(given)]
  })
}

/** Kinds that are in use, by the packages that carry their schemas. */
const models = [
  ...[Namespace, ServiceAccount, ConfigMap, Service, Deployment, PodDisruptionBudget, NetworkPolicy],
  ...[Job, ScaledObject, TriggerAuthentication, PodMonitor],
]

/** Returns a line for each fault of a resource: what its schema refuses, and fields that its schema does not have. */
function complaints(given: Resource): string[] {
  const name = `${given.kind} ${given.metadata.name}`
  const model = models.find(({ apiVersion, kind }) => apiVersion === given.apiVersion && kind === given.kind)
  if (!model) return [`${name}: there is no kind ${given.kind} in ${given.apiVersion}`]
  const unread = new Set<string>()
  const checked = watched(Object.assign(new model(), given), name, unread)
  try {
    checked.validate()
  } catch (error) {
    return [`${name}: ${error instanceof Error ? error.message : error}`]
  }
  return [...unread].map((path) => `${path}: there is no such field`)
}

/** Cluster and schema let a misspelt field pass, and do nothing with it; but no schema looks at a field it does not know. */
function watched<T extends object>(value: T, path: string, unread: Set<string>): T {
  const children = new Map(
    Object.entries(value).map(([key, child]) => {
      const at = `${path}/${key}`
      unread.add(at)
      return [key, typeof child === 'object' && child !== null ? watched(child, at, unread) : child]
    }),
  )
  return new Proxy(value, {
    get: (target, key) => {
      unread.delete(`${path}/${String(key)}`)
      return children.get(String(key)) ?? Reflect.get(target, key)
    },
  })
}

const docs = readFileSync(join(folder, '../../docs/how-to/kubernetes.md'), 'utf8')

const labels = z.record(z.string(), z.string())
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) })
const deployment = z.object({
  kind: z.literal('Deployment'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    replicas: z.int().optional(),
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels }),
      spec: z.object({
        serviceAccountName: z.string(),
        automountServiceAccountToken: z.boolean(),
        enableServiceLinks: z.boolean(),
        terminationGracePeriodSeconds: z.int(),
        securityContext: z.unknown(),
        containers: z.tuple([
          z.object({
            image: z.string(),
            args: z.array(z.string()),
            envFrom: z.tuple([z.object({ configMapRef: z.object({ name: z.string() }) })]),
            env: z.array(
              z.union([
                z.strictObject({ name: z.string(), value: z.string() }),
                z.strictObject({
                  name: z.string(),
                  valueFrom: z.object({ secretKeyRef: z.object({ name: z.literal('orders'), key: z.string() }) }),
                }),
              ]),
            ),
            ports: z.tuple([z.object({ name: z.string(), containerPort: z.int() })]),
            startupProbe: probe,
            livenessProbe: probe,
            readinessProbe: probe,
            securityContext: z.unknown(),
            resources: z.object({ requests: labels, limits: labels }),
          }),
        ]),
      }),
    }),
  }),
})
const scaledObject = z.object({
  kind: z.literal('ScaledObject'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    scaleTargetRef: z.object({ name: z.string() }),
    minReplicaCount: z.int(),
    maxReplicaCount: z.int(),
    triggers: z.array(z.object({ type: z.string(), metadata: labels })),
  }),
})

/** Returns the resources of a kind. */
function ofKind<S extends z.ZodType>(resources: readonly Resource[], kind: string, schema: S): z.output<S>[] {
  return resources.filter((one) => one.kind === kind).map((one) => schema.parse(one))
}

/** Returns the environment of an overlay: the ConfigMap of the base, with its own over it, and the Secret. */
function environmentOf(overlay: string): Record<string, string | undefined> {
  const own = files.find((file) => file === `${overlay}/orders.env`)
  const secret = { REDIS_URL: 'rediss://:secret@redis.internal:6379', ADMIN_TOKEN: 'secret-secret-16' }
  return { ...parseEnv(read('base/orders.env')), ...(own && parseEnv(read(own))), ...secret }
}

/** The variables that a deployment's container sets itself. */
function valuesIn({ template }: z.output<typeof deployment>['spec']): Record<string, string> {
  const [{ env }] = template.spec.containers
  return Object.fromEntries(env.flatMap((one) => ('value' in one ? [[one.name, one.value]] : [])))
}

const sources = files.filter((file) => file.endsWith('.yaml') && !kustomizations.includes(file))
const resources = sources.flatMap((file) => resourcesIn(read(file)))
const deployments = ofKind(resources, 'Deployment', deployment)
const scaled = ofKind(resources, 'ScaledObject', scaledObject)
const configs = overlays.map((overlay): [string, Config] => [overlay, readConfig(environmentOf(overlay))])

describe('the check of a resource', () => {
  const [good] = resources.filter(({ kind }) => kind === 'Deployment')
  const text = JSON.stringify(good)

  test.each([
    ['as it is', '', '', undefined],
    ['a misspelt field', '"readinessProbe"', '"readynessProbe"', '/readynessProbe: there is no such field'],
    ['a field in the wrong place', '"args"', '"arguments"', '/arguments: there is no such field'],
    ['a misspelt field of a list', '"topologyKey"', '"topologykey"', 'topologyKey'],
    ['a number that is a text', '"containerPort":9100', '"containerPort":"9100"', 'containerPort'],
    ['a field that is missing', '"selector"', '"selectors"', 'selector'],
    ['another version', '"apps/v1"', '"apps/v2"', 'there is no kind Deployment in apps/v2'],
  ])('%s', (_, from, to, expected) => {
    const found = complaints(resource.parse(JSON.parse(text.replace(from, to))))
    if (expected === undefined) expect(found).toEqual([])
    else expect(found.join()).toContain(expected)
  })
})

describe('deploy/k8s', () => {
  test.each(sources)('%s holds what the published schemas let through, and no field that they do not have', (file) => {
    expect(resourcesIn(read(file)).flatMap(complaints)).toEqual([])
  })

  test('lists every file in a kustomization, and none that is not there', () => {
    const named = kustomizations.flatMap((file) => {
      const {
        resources = [],
        components = [],
        configMapGenerator = [],
      } = z
        .looseObject({
          resources: z.array(z.string()).optional(),
          components: z.array(z.string()).optional(),
          configMapGenerator: z.array(z.looseObject({ envs: z.array(z.string()) })).optional(),
        })
        .parse(parse(read(file)))
      const own = configMapGenerator.flatMap(({ envs }) => envs)
      return [...resources, ...components, ...own].map((name) => join(dirname(file), name))
    })
    const paths = named.map((name) => (/\.\w+$/.test(name) ? name : join(name, 'kustomization.yaml')))
    const roots = [...overlays, archiveComponent].map((folder) => join(folder, 'kustomization.yaml'))
    expect(new Set([...paths, ...roots])).toEqual(new Set(files))
  })

  test('runs each role as a Deployment of its name, whose labels no other has', () => {
    expect(deployments.map(({ metadata }) => metadata.name).toSorted()).toEqual(
      [...deployedRoles, archiveRole].toSorted(),
    )
    for (const { metadata, spec } of deployments) {
      const own = { 'app.kubernetes.io/name': 'orders', 'app.kubernetes.io/component': metadata.name }
      expect(spec.template.spec.containers[0].args).toEqual(['run', metadata.name])
      expect([spec.selector.matchLabels, spec.template.metadata.labels]).toEqual([own, own])
    }
  })

  test('selects by labels that pods have', () => {
    const selector = z.object({ matchLabels: labels.optional() })
    const budgets = ofKind(
      resources,
      'PodDisruptionBudget',
      z.object({ metadata: z.object({ name: z.string() }), spec: z.object({ selector }) }),
    )
    expect(budgets.map(({ metadata, spec }) => [metadata.name, spec.selector])).toEqual(
      deployments.map(({ metadata, spec }) => [metadata.name, spec.selector]),
    )
    const [api] = deployments.filter(({ metadata }) => metadata.name === 'api')
    const services = ofKind(resources, 'Service', z.object({ spec: z.looseObject({ selector: labels }) }))
    expect(services).toMatchObject([
      { spec: { selector: api?.spec.selector.matchLabels, ports: [{ targetPort: 'http' }] } },
    ])
    const policies = ofKind(resources, 'NetworkPolicy', z.object({ spec: z.object({ podSelector: selector }) }))
    const monitors = ofKind(resources, 'PodMonitor', z.object({ spec: z.object({ selector }) }))
    const selected = [
      ...policies.map(({ spec }) => spec.podSelector),
      ...monitors.map(({ spec }) => spec.selector),
    ].map(({ matchLabels = {} }) => matchLabels)
    for (const wanted of selected) {
      expect(deployments.map(({ spec }) => spec.template.metadata.labels)).toContainEqual(
        expect.objectContaining(wanted),
      )
    }
  })

  test.each(deployments)('$metadata.name: is probed at routes and at the port where it serves them', (one) => {
    const [{ ports, startupProbe, livenessProbe, readinessProbe }] = one.spec.template.spec.containers
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      expect(routes.map(({ path }) => path)).toContain(httpGet.path)
      expect(httpGet.port).toBe(ports[0].name)
    }
    for (const [, { apiHost, apiPort, metricsPort }] of configs) {
      expect(ports[0].containerPort).toBe(one.metadata.name === 'api' ? apiPort : metricsPort)
      expect(apiHost).toBe('0.0.0.0')
    }
  })

  test.each(deployments)('$metadata.name: is not killed before its stop is over', ({ spec }) => {
    const { terminationGracePeriodSeconds } = spec.template.spec
    for (const overlay of overlays) {
      const { stopGraceMs, drainMs } = readConfig({ ...environmentOf(overlay), ...valuesIn(spec) })
      const stopMs = stopGraceMs + drainMs + 2_000 // connections and servers are closed last
      expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(stopMs)
    }
  })

  test.each(deployments)(
    '$metadata.name: answers for some seconds after SIGTERM where requests are sent to it',
    (one) => {
      const known = Object.values(variables).map(({ name }) => name)
      const values = valuesIn(one.spec)
      expect(known).toEqual(expect.arrayContaining(Object.keys(values)))
      for (const overlay of overlays) {
        const { drainMs } = readConfig({ ...environmentOf(overlay), ...values })
        expect(drainMs >= 5_000).toBe(one.metadata.name === 'api')
      }
    },
  )

  test.each(deployments)('$metadata.name: may do nothing that it need not', ({ metadata, spec }) => {
    const { containers, ...pod } = spec.template.spec
    expect(pod).toMatchObject({
      serviceAccountName: ['bridge', 'jobs', archiveRole].includes(metadata.name) ? metadata.name : 'orders',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    })
    const [{ securityContext, env, resources }] = containers
    expect(securityContext).toEqual({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    })
    expect(resources.limits).toEqual({ memory: resources.requests['memory'] })
    const secrets = metadata.name === 'api' ? ['REDIS_URL', 'ADMIN_TOKEN'] : ['REDIS_URL']
    const secretOf = env.flatMap((one) => ('valueFrom' in one ? [[one.name, one.valueFrom.secretKeyRef.key]] : []))
    expect(secretOf).toEqual(secrets.map((secret) => [secret, secret]))
  })

  test.each(overlays)('%s sets only variables that there are', (overlay) => {
    const known = Object.values(variables).map(({ name }) => name)
    expect(known).toEqual(expect.arrayContaining(Object.keys(environmentOf(overlay))))
  })

  test('has accounts for all pods, and none with a token', () => {
    const accounts = resources.filter(({ kind }) => kind === 'ServiceAccount')
    const used = deployments.map(({ spec }) => spec.template.spec.serviceAccountName)
    expect(new Set(accounts.map(({ metadata }) => metadata.name))).toEqual(new Set(used))
    for (const account of accounts) expect(account).toMatchObject({ automountServiceAccountToken: false })
  })

  test('scales bridge and stages, and sets the replicas of all others', () => {
    const byScaler = deployments.filter(({ spec }) => spec.replicas === undefined).map(({ metadata }) => metadata.name)
    expect(scaled.map(({ spec }) => spec.scaleTargetRef.name).toSorted()).toEqual(byScaler.toSorted())
    expect(byScaler.toSorted()).toEqual(['bridge', ...stages.map(({ name }) => name)].toSorted())
  })

  test.each(stages)('$name is scaled by what waits for it', ({ name }) => {
    const [one] = scaled.filter(({ spec }) => spec.scaleTargetRef.name === name)
    const [trigger] = one?.spec.triggers.filter(({ type }) => type === 'prometheus') ?? []
    const query = trigger?.metadata['query'] ?? ''
    expect(query).toContain(`stage="${name}"`)
    expect(query).toContain('namespace="orders"')
    const { wrong, selectors } = readExpression(query)
    expect(wrong).toBeUndefined()
    for (const { metric, labels } of selectors) {
      const known = metrics.find((one) => one.name === metric)
      expect(known?.by, 'an API process reports all').toBe('api')
      expect([...Object.keys(known?.labels ?? {}), 'namespace']).toEqual(expect.arrayContaining([...labels]))
    }
  })

  test('the bridge is scaled by the queue that it reads', () => {
    const [trigger] = scaled.flatMap(({ spec }) => spec.triggers).filter(({ type }) => type === 'aws-sqs-queue')
    for (const [, { sqsQueueName, awsRegion }] of configs) {
      const { host, pathname } = new URL(trigger?.metadata['queueURL'] ?? '')
      expect([host, basename(pathname)]).toEqual([`sqs.${awsRegion}.amazonaws.com`, sqsQueueName])
      expect(trigger?.metadata['awsRegion']).toBe(awsRegion)
    }
  })
})

test('a Pod of the archive is as one of a stage but for its account and its memory', () => {
  const podOf = (name: string) => {
    const found = resources.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name)
    const { template, replicas: _, selector: __, ...rollout } = (found?.['spec'] ?? {}) as Record<string, unknown>
    const { serviceAccountName: ___, containers, ...pod } = z.object({ spec: z.looseObject({}) }).parse(template).spec
    const [{ args: ____, resources: _____, ...container }] = z.tuple([z.looseObject({})]).parse(containers)
    return { rollout, pod, container }
  }
  expect(podOf(archiveRole)).toEqual(podOf('aggregate'))
})

test('docs/how-to/kubernetes.md names commands that there are, and runs one in a pod that is valid', async () => {
  const [, text = ''] = /```yaml\n(.*?)```/s.exec(docs) ?? []
  const [job, ...others] = resourcesIn(text)
  expect([others, job && complaints(job)]).toEqual([[], []])
  const [, ...args] = /args: \[(.*)\]/.exec(text) ?? []
  const called = [...docs.matchAll(/exec deploy\/\w+ -- orders (\w+)/g)].map(([, name]) => name)
  const names = (await loadCommands()).map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining([...called, args.join().split(',')[0]]))
})

test('in a container the commands are called orders', () => {
  const dockerfile = readFileSync(join(folder, '../../Dockerfile'), 'utf8')
  expect(dockerfile).toContain('ln -s /app/src/ops/orders.js /usr/local/bin/orders')
})

const installed = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0

describe.each(installed('kubectl', 'kustomize', '--help') ? overlays : [])('%s, as kubectl renders it', (overlay) => {
  const rendered = (): Resource[] => {
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', join(folder, overlay)], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return resourcesIn(stdout)
  }

  test('is all that the files hold and a ConfigMap, in one namespace, valid by the published schemas', () => {
    const found = rendered()
    const names = (of: readonly Resource[]): string[] => of.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    const [config] = found.filter(({ kind }) => kind === 'ConfigMap')
    const own = sources.filter((file) => dirname(file) !== archiveComponent).flatMap((file) => resourcesIn(read(file)))
    expect(names(found).toSorted()).toEqual([...names(own), `ConfigMap ${config?.metadata.name}`].toSorted())
    expect(found.flatMap(complaints)).toEqual([])
    const [space, ...others] = new Set(
      found.map(({ kind, metadata }) => metadata[kind === 'Namespace' ? 'name' : 'namespace']),
    )
    expect([space, others]).toEqual(['orders', []])
  })

  test('with the archive has its Deployment, account and way to S3, and its URL for every role', () => {
    const copy = mkdtempSync(join(tmpdir(), 'orders-k8s-'))
    using _ = removeOnExit(copy)
    cpSync(folder, copy, { recursive: true })
    const file = join(copy, overlay, 'kustomization.yaml')
    const text = readFileSync(file, 'utf8')
    writeFileSync(
      file,
      text.replace('../../components/monitoring]', '../../components/monitoring, ../../components/archive]'),
    )
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', join(copy, overlay)], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const found = resourcesIn(stdout)
    expect(found.flatMap(complaints)).toEqual([])
    const added = found.filter(({ metadata }) => metadata.name === archiveRole).map(({ kind }) => kind)
    expect(added.toSorted()).toEqual(['Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'ServiceAccount'])
    const [config] = found.filter(({ kind }) => kind === 'ConfigMap')
    const { ARCHIVE_URL: url } = parseEnv(read(`${archiveComponent}/archive.env`))
    expect(config).toMatchObject({ data: { ARCHIVE_URL: url, SQS_QUEUE_NAME: 'orders' } })
    expect(readConfig({ ...environmentOf(overlay), ARCHIVE_URL: url }).archiveUrl).toBe(url)
    const all = ofKind(found, 'Deployment', deployment)
    expect(new Set(all.map(({ spec }) => spec.template.spec.containers[0].envFrom[0].configMapRef.name))).toEqual(
      new Set([config?.metadata.name]),
    )
    const accounts = Object.fromEntries(
      all.map(({ metadata, spec }) => [metadata.name, spec.template.spec.serviceAccountName]),
    )
    expect(accounts).toMatchObject({ archive: 'archive', api: 'archive', jobs: 'jobs', validate: 'orders' })
  })

  test('runs one image, with a tag, in the environment of the overlay', () => {
    const found = rendered()
    const { REDIS_URL: _, ADMIN_TOKEN: __, ...environment } = environmentOf(overlay)
    const [config] = found.filter(({ kind }) => kind === 'ConfigMap')
    expect(config).toMatchObject({ data: environment })
    for (const { spec } of ofKind(found, 'Deployment', deployment)) {
      const [{ image, envFrom }] = spec.template.spec.containers
      expect(image).toMatch(/^orders:\d/)
      expect(envFrom[0].configMapRef.name).toBe(config?.metadata.name)
    }
  })

  test('has work for all processes that a stage may have, and starts them before the bridge stops for what waits', () => {
    const { partitions, highWaterOrders } = readConfig(environmentOf(overlay))
    for (const { metadata, spec } of ofKind(rendered(), 'ScaledObject', scaledObject)) {
      expect(spec.minReplicaCount).toBeGreaterThanOrEqual(2)
      expect(spec.maxReplicaCount).toBeGreaterThan(spec.minReplicaCount)
      if (metadata.name === 'bridge') continue
      if (partitions !== undefined) expect(spec.maxReplicaCount).toBeLessThanOrEqual(partitions)
      const [waiting] = spec.triggers.flatMap(({ metadata }) => metadata['threshold'] ?? [])
      expect(Number(waiting) * (spec.maxReplicaCount - 1)).toBeLessThan(highWaterOrders)
    }
  })
})
