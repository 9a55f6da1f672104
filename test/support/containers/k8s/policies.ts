import { BlockList } from 'node:net'
import { z } from 'zod'

const requirement = z.discriminatedUnion('operator', [
  z.strictObject({ key: z.string(), operator: z.enum(['In', 'NotIn']), values: z.array(z.string()).min(1) }),
  z.strictObject({ key: z.string(), operator: z.enum(['Exists', 'DoesNotExist']) }),
])
const selector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).default({}),
  matchExpressions: z.array(requirement).default([]),
})
const peer = z.strictObject({
  ipBlock: z.strictObject({ cidr: z.string() }).optional(),
  namespaceSelector: selector.optional(),
  podSelector: selector.optional(),
})
const port = z.strictObject({ port: z.union([z.int(), z.string()]), protocol: z.enum(['TCP', 'UDP']).default('TCP') })

export const networkPolicy = z.object({
  kind: z.literal('NetworkPolicy'),
  metadata: z.looseObject({ namespace: z.string() }),
  spec: z.strictObject({
    podSelector: selector,
    policyTypes: z.array(z.enum(['Ingress', 'Egress'])),
    ingress: z.array(z.strictObject({ from: z.array(peer), ports: z.array(port) })).default([]),
    egress: z.array(z.strictObject({ to: z.array(peer), ports: z.array(port) })).default([]),
  }),
})
type NetworkPolicy = z.output<typeof networkPolicy>
type Peer = z.output<typeof peer>
type Port = z.output<typeof port>
type Selector = z.output<typeof selector>

/** A Pod, or a server outside of Kubernetes, that takes part in the traffic. */
export interface Place {
  readonly name: string
  /** Of a Pod. A server outside has none. */
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Of a server outside, which policies name by its address. */
  readonly address?: string
  /** The TCP port where it listens, if it does. */
  readonly port?: number
  readonly portName?: string
}

/** A place that may connect to another one. */
export interface Edge {
  readonly from: Place
  readonly to: Place
}

export const nameOf = ({ from, to }: Edge): string => `${from.name} → ${to.name}`

/**
 * Returns every connection from or to a Pod of the policies' namespace that they let pass, by the rules of Kubernetes: both
 * ends must allow it.
 */
export function allowedEdges(policies: readonly NetworkPolicy[], places: readonly Place[]): Edge[] {
  const isOwn = ({ namespace }: Place): boolean => policies.some(({ metadata }) => metadata.namespace === namespace)
  const pairs = places
    .flatMap((from) => places.map((to) => ({ from, to })))
    .filter(({ from, to }) => isOwn(from) || isOwn(to))
  return pairs.filter(({ from, to }) => {
    if (to.port === undefined) return false
    const out = policies.filter((policy) => applies(policy, 'Egress', from))
    const into = policies.filter((policy) => applies(policy, 'Ingress', to))
    return (
      (out.length === 0 ||
        out.some((one) => one.spec.egress.some((rule) => passes(one, rule.to, to, rule.ports, to)))) &&
      (into.length === 0 ||
        into.some((one) => one.spec.ingress.some((rule) => passes(one, rule.from, from, rule.ports, to))))
    )
  })
}

function applies({ metadata, spec }: NetworkPolicy, type: 'Ingress' | 'Egress', place: Place): boolean {
  return (
    spec.policyTypes.includes(type) && place.namespace === metadata.namespace && selects(spec.podSelector, place.labels)
  )
}

/** Returns whether a rule names the place at the other end, and the port of the one that listens. */
function passes(
  policy: NetworkPolicy,
  peers: readonly Peer[],
  other: Place,
  ports: readonly Port[],
  to: Place,
): boolean {
  const isPort = ports.some((one) => one.protocol === 'TCP' && (one.port === to.port || one.port === to.portName))
  return isPort && peers.some((one) => names(policy, one, other))
}

function names(policy: NetworkPolicy, { ipBlock, namespaceSelector, podSelector }: Peer, place: Place): boolean {
  if (ipBlock) return place.address !== undefined && isWithin(place.address, ipBlock.cidr)
  if (place.namespace === undefined) return false
  const isNamespace = namespaceSelector
    ? selects(namespaceSelector, { 'kubernetes.io/metadata.name': place.namespace })
    : place.namespace === policy.metadata.namespace
  return isNamespace && (podSelector === undefined || selects(podSelector, place.labels))
}

function selects({ matchLabels, matchExpressions }: Selector, labels: Place['labels'] = {}): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every((one) => meets(one, labels[one.key]))
  )
}

function meets(one: z.output<typeof requirement>, value: string | undefined): boolean {
  if (!('values' in one)) return (value !== undefined) === (one.operator === 'Exists')
  return one.values.some((wanted) => wanted === value) === (one.operator === 'In')
}

function isWithin(address: string, cidr: string): boolean {
  const [network = '', length] = cidr.split('/')
  const block = new BlockList()
  block.addSubnet(network, Number(length))
  return block.check(address)
}
