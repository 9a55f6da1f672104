import { until } from '../../until.ts'
import { type Docker, image } from '../opened.ts'
import { logsOf, watch } from './kubelet.ts'
import { type Container, environmentOf, type Manifests, type RolePod } from './manifests.ts'
import type { Networks } from './networks.ts'
import { type Address, period } from './probes.ts'

/** Where containers run in place of a node of Kubernetes. */
export interface Node {
  readonly docker: Docker
  readonly networks: Networks
  /** The label of every container, by which they are removed. */
  readonly label: string
  /** Variables that the cloud adds to Pods of a ServiceAccount. */
  readonly identities: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Adds what a healthy Pod must not do. */
  complain(fault: string): void
  /** Aborts when the containers are removed. */
  readonly closing: AbortSignal
}

/** A process of a role in a container, probed as the kubelet does. */
export interface Pod {
  readonly name: string
  readonly address: Address
  isReady(): boolean
  /** Resolves when it has been ready for minReadySeconds. */
  available(minReadySeconds: number): Promise<void>
  restarts(): number
  /** Sends SIGTERM, waits at most for the grace period, and removes the container. */
  terminate(): Promise<Ended>
}

export interface Ended {
  readonly pod: string
  readonly exitCode: number
  readonly restarts: number
}

/** progressDeadlineSeconds of Kubernetes: a rollout fails that makes no progress for so long. */
const progressDeadlineMs = 600_000

/** Returns the options of `docker create` that do what a container's spec says, and its image and arguments. */
export function creation(
  { label }: Pick<Node, 'label'>,
  { runAsUser, runAsGroup }: { readonly runAsUser: number; readonly runAsGroup?: number | undefined },
  { args, resources }: Container,
  environment: Readonly<Record<string, string>>,
): string[] {
  const memory = resources.limits.memory.replace('i', '').toLowerCase()
  return [
    ...['--label', label, '--user', runAsGroup === undefined ? `${runAsUser}` : `${runAsUser}:${runAsGroup}`],
    '--no-healthcheck', // Kubernetes ignores that of the image
    ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true'],
    ...['--memory', memory, '--memory-swap', memory], // Kubernetes gives no swap
    ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    image,
    ...args,
  ]
}

export async function startPod(
  node: Node,
  name: string,
  { metadata, spec }: RolePod,
  manifests: Manifests,
): Promise<Pod> {
  const { docker, networks, identities } = node
  const [container] = spec.containers
  const environment = { ...environmentOf(manifests, container), ...identities[spec.serviceAccountName] }
  const options = creation(node, spec.securityContext, container, environment)
  const host = await networks.start(metadata.labels['app.kubernetes.io/component'] ?? '', name, options)
  const address = { host, port: container.ports[0].containerPort }
  const kubelet = watch({ docker, name, address, container, complain: node.complain }, node.closing)
  const terminate = async (): Promise<Ended> => {
    kubelet.beginStop()
    const stopped = docker('stop', '--time', `${spec.terminationGracePeriodSeconds}`, name)
    // A node may hear later than the process that the Pod stops: requests reach it until /readyz says so.
    await Promise.race([stopped, until(`${name} not to be ready`, () => !kubelet.isReady())])
    await stopped
    const exitCode = Number(await docker('inspect', '--format', '{{.State.ExitCode}}', name))
    await kubelet.end()
    await docker('rm', '--volumes', name)
    return { pod: name, exitCode, restarts: kubelet.restarts() }
  }
  const available = async (minReadySeconds: number): Promise<void> => {
    const fail = async (reason: unknown): Promise<never> => {
      throw new Error(`${reason}\n${await logsOf(docker, name)}`)
    }
    await until(`${name} to be ready`, kubelet.isReady, Boolean, progressDeadlineMs).catch(fail)
    await period(minReadySeconds)
    if (!kubelet.isReady()) await fail(`${name} did not stay ready`)
  }
  return { name, address, isReady: kubelet.isReady, available, restarts: kubelet.restarts, terminate }
}
