import { randomBytes } from 'node:crypto'
import type { Env } from '../../world.ts'
import type { Docker } from '../opened.ts'
import { allOf } from './all-of.ts'
import type { Manifests } from './manifests.ts'
import { openNetworks } from './networks.ts'
import { placesOf } from './places.ts'
import type { Ended, Node } from './pod.ts'
import { allowedEdges, type Edge } from './policies.ts'
import { removing } from './removal.ts'
import { type Role, startRole } from './role.ts'
import { buildSqs, startClient, startServers } from './servers.ts'
import { openService } from './service.ts'

/** All Deployments of an overlay in containers, with Redis and SQS, on networks that its policies allow. */
export interface System extends AsyncDisposable {
  readonly node: Node
  readonly id: string
  readonly edges: readonly Edge[]
  readonly roles: readonly Role[]
  /** Lists what a probe or a restart found that healthy Pods do not have. */
  readonly faults: readonly string[]
  /** The Service of the API. */
  readonly url: string
  /** Of a producer. */
  readonly sqs: Env
  /** Runs a command in the container of a place, in the first Pod of a role. */
  exec(place: string, ...command: readonly string[]): Promise<string>
  /** Returns the addresses of the containers of a place. */
  addressesOf(place: string): Promise<string[]>
  /** Rolls out every role at the same time. */
  rollOut(manifests: Manifests): Promise<Ended[]>
}

/** Namespaces that the policies name, from which tests connect. */
export const around = ['monitoring', 'ingress']

/** Credentials, which the cloud gives to Pods of the ServiceAccounts `bridge` and `jobs`. */
const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }

export async function openSystem(docker: Docker, manifests: Manifests): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const id = `orders-k8s-${randomBytes(3).toString('hex')}`
  const label = `orders.test=${id}`
  await buildSqs(docker)
  const edges = allowedEdges(manifests.policies, placesOf(manifests))
  stack.use(removing(docker, label))
  const networks = await openNetworks(docker, id, label, edges)
  const faults: string[] = []
  const complain = (fault: string): void => void faults.push(fault)
  const closing = new AbortController()
  const identities = { bridge: credentials, jobs: credentials }
  const node: Node = { docker, networks, label, identities, complain, closing: closing.signal }
  stack.defer(() => closing.abort())
  const sqsUrl = await startServers(node, id)
  await allOf(around.map((place) => startClient(node, id, place)))
  const names = manifests.deployments.map(({ metadata }) => metadata.name)
  const roles = await allOf(names.map((name) => startRole(node, id, name, manifests)))
  const podsOf = (place: string) => roles.find(({ name }) => name === place)?.pods() ?? []
  const service = stack.use(await openService(() => podsOf('api')))
  const containersOf = (place: string): string[] => {
    const pods = podsOf(place).map(({ name }) => name)
    return pods.length > 0 ? pods : [`${id}-${place}`]
  }
  const exec = (place: string, ...command: readonly string[]): Promise<string> =>
    docker('exec', ...containersOf(place).slice(0, 1), ...command)
  const addressesOf = async (place: string): Promise<string[]> => {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'
    const printed = await docker('inspect', '--format', format, ...containersOf(place))
    return printed.split(/\s+/).filter(Boolean)
  }
  const rollOut = async (next: Manifests): Promise<Ended[]> =>
    (await allOf(roles.map((role) => role.rollOut(next)))).flat()
  const sqs = { AWS_ENDPOINT_URL: sqsUrl, AWS_REGION: 'us-east-1', SQS_QUEUE_NAME: 'orders' }
  const opened = stack.move()
  const close = (): Promise<void> => opened.disposeAsync()
  return {
    node,
    id,
    edges,
    roles,
    faults,
    url: service.url,
    sqs,
    exec,
    addressesOf,
    rollOut,
    [Symbol.asyncDispose]: close,
  }
}
