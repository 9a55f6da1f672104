import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { networkPolicy } from './policies.ts'

/*
 * The fields of a Pod that these tests play, and no other: a field that is added to a manifest fails here until pod.ts plays it.
 */

const labels = z.record(z.string(), z.string())
const drop = z.strictObject({ drop: z.tuple([z.literal('ALL')]) })

/** Requires what `docker create` gets in pod.ts. */
const containerSecurity = z.strictObject({
  readOnlyRootFilesystem: z.literal(true),
  allowPrivilegeEscalation: z.literal(false),
  capabilities: drop,
})
const podSecurity = z.strictObject({
  runAsNonRoot: z.literal(true),
  runAsUser: z.int().min(1),
  runAsGroup: z.int().optional(),
  seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }), // Docker has it without an option
})
const variable = z.union([
  z.strictObject({ name: z.string(), value: z.string() }),
  z.strictObject({
    name: z.string(),
    valueFrom: z.strictObject({ secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }) }),
  }),
])
const resources = z.strictObject({
  requests: z.strictObject({ cpu: z.string(), memory: z.string() }),
  limits: z.strictObject({ memory: z.string().regex(/^\d+[GM]i$/) }),
})
const container = z.strictObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  envFrom: z.array(z.strictObject({ configMapRef: z.strictObject({ name: z.string() }) })).default([]),
  env: z.array(variable),
  resources,
  securityContext: containerSecurity,
})

/** A probe with the defaults of Kubernetes. */
const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string(), port: z.string() }),
  periodSeconds: z.int(),
  timeoutSeconds: z.int().default(1),
  failureThreshold: z.int(),
})
const probed = container.extend({
  ports: z.tuple([z.strictObject({ name: z.string(), containerPort: z.int() })]),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
})

const podOf = <C extends z.ZodType>(one: C) => ({
  automountServiceAccountToken: z.literal(false),
  enableServiceLinks: z.literal(false),
  securityContext: podSecurity,
  containers: z.tuple([one]),
})
const rolePod = z.strictObject({
  ...podOf(probed),
  serviceAccountName: z.string(),
  terminationGracePeriodSeconds: z.int(),
  topologySpreadConstraints: z.array(z.unknown()), // there is one node
})
const commandPod = z.strictObject({ ...podOf(container), restartPolicy: z.literal('OnFailure') })

const template = <P extends z.ZodType>(spec: P) => z.strictObject({ metadata: z.strictObject({ labels }), spec })
const named = z.looseObject({ name: z.string() })

export const deployment = z.object({
  kind: z.literal('Deployment'),
  metadata: named,
  spec: z.strictObject({
    replicas: z.int().optional(),
    revisionHistoryLimit: z.int(),
    minReadySeconds: z.int(),
    strategy: z.strictObject({
      type: z.literal('RollingUpdate'),
      rollingUpdate: z.strictObject({ maxSurge: z.literal(1), maxUnavailable: z.literal(0) }),
    }),
    selector: z.strictObject({ matchLabels: labels }),
    template: template(rolePod),
  }),
})
export const job = z.object({
  kind: z.literal('Job'),
  metadata: named,
  spec: z.strictObject({ backoffLimit: z.int(), template: template(commandPod) }),
})
const configMap = z.object({ kind: z.literal('ConfigMap'), metadata: named, data: labels })
const secret = z.object({ kind: z.literal('Secret'), metadata: named, data: labels })
const service = z.object({
  kind: z.literal('Service'),
  metadata: named,
  spec: z.strictObject({
    selector: labels,
    ports: z.tuple([z.strictObject({ name: z.string(), port: z.int(), targetPort: z.string() })]),
  }),
})

export type Deployment = z.output<typeof deployment>
export type Job = z.output<typeof job>
export type Service = z.output<typeof service>
export type Probe = z.output<typeof probe>
export type RolePod = Deployment['spec']['template']
export type Container = Job['spec']['template']['spec']['containers'][0]

/** Everything that an overlay and a Secret hold, by kind. */
export type Manifests = ReturnType<typeof readManifests>

/** Reads what kubectl printed. */
export function readManifests(text: string) {
  const all = parseAllDocuments(text).map((document): unknown => document.toJS())
  const of = <S extends z.ZodType>(kind: string, schema: S): z.output<S>[] =>
    all.filter((one) => z.object({ kind: z.literal(kind) }).safeParse(one).success).map((one) => schema.parse(one))
  return {
    deployments: of('Deployment', deployment),
    policies: of('NetworkPolicy', networkPolicy),
    services: of('Service', service),
    configMaps: of('ConfigMap', configMap),
    secrets: of('Secret', secret),
  }
}

/** Returns the environment of a container, from the ConfigMaps and Secrets that it names. */
export function environmentOf({ configMaps, secrets }: Manifests, { envFrom, env }: Container): Record<string, string> {
  const find = <T extends { metadata: { name: string } }>(from: readonly T[], name: string): T => {
    const found = from.find(({ metadata }) => metadata.name === name)
    if (!found) throw new Error(`A container names ${name}, which there is not.`)
    return found
  }
  const shared = envFrom.map(({ configMapRef }) => find(configMaps, configMapRef.name).data)
  const own = env.map((one): [string, string] => {
    if ('value' in one) return [one.name, one.value]
    const { name, key } = one.valueFrom.secretKeyRef
    const value = find(secrets, name).data[key]
    if (value === undefined) throw new Error(`The Secret ${name} has no key ${key}.`)
    return [one.name, Buffer.from(value, 'base64').toString()]
  })
  return { ...Object.assign({}, ...shared), ...Object.fromEntries(own) }
}
