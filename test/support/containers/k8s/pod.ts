import { run } from '../../debian/run.ts'
import { until } from '../../until.ts'
import { type Docker, image } from '../opened.ts'
import { type Container, environmentOf, type Manifests, type RolePod } from './manifests.ts'
import type { Networks } from './networks.ts'
import { type Address, period, probing, speedUp } from './probes.ts'

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
  restarts(): Promise<number>
  /** Sends SIGTERM, waits at most for the grace period, and removes the container. */
  terminate(): Promise<Ended>
}

export interface Ended {
  readonly pod: string
  readonly exitCode: number
  readonly restarts: number
}

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
  const options = ['--restart', 'always', ...creation(node, spec.securityContext, container, environment)]
  const host = await networks.start(metadata.labels['app.kubernetes.io/component'] ?? '', name, options)
  const address = { host, port: container.ports[0].containerPort }
  const kubelet = watch(node, name, address, container)
  const inspect = async (format: string): Promise<number> =>
    Number(await docker('inspect', '--format', `{{${format}}}`, name))
  const terminate = async (): Promise<Ended> => {
    const stopped = docker('stop', '--time', `${spec.terminationGracePeriodSeconds}`, name)
    kubelet.ignoreLiveness()
    // A node may hear later than the process that the Pod stops: requests reach it until /readyz says so.
    await Promise.race([stopped, until(`${name} not to be ready`, () => !kubelet.isReady())])
    await stopped
    await kubelet.stop()
    const ended = { pod: name, exitCode: await inspect('.State.ExitCode'), restarts: await inspect('.RestartCount') }
    await docker('rm', '--volumes', name)
    return ended
  }
  const available = async (minReadySeconds: number): Promise<void> => {
    const fail = async (reason: unknown): Promise<never> => {
      throw new Error(`${reason}\n${await logsOf(docker, name)}`)
    }
    await until(`${name} to be ready`, kubelet.isReady).catch(fail)
    await period(minReadySeconds)
    if (!kubelet.isReady()) await fail(`${name} did not stay ready`)
  }
  return { name, address, isReady: kubelet.isReady, available, restarts: () => inspect('.RestartCount'), terminate }
}

/** Returns the last lines that a container has written to stderr. */
const logsOf = ({ env }: Docker, name: string): Promise<string> =>
  run('sh', ['-c', `docker logs --tail 5 ${name} 2>&1`], { env })

type RoleContainer = RolePod['spec']['containers'][0]

interface Kubelet {
  isReady(): boolean
  ignoreLiveness(): void
  stop(): Promise<void>
}

/** Probes a container until it is stopped; from the beginning when its process has been restarted. */
function watch({ docker, complain, closing }: Node, name: string, address: Address, container: RoleContainer): Kubelet {
  const { startupProbe, readinessProbe, livenessProbe } = container
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, closing])
  let [isReady, isIgnored] = [false, false]
  const restarts = (): Promise<string> => docker('inspect', '--format', '{{.RestartCount}}', name)
  const probe = async (): Promise<void> => {
    while (!signal.aborted) {
      const known = await restarts()
      let last: readonly string[] = []
      await probing(address, startupProbe, signal, (failures) => {
        last = failures
        return failures.length > 0 && failures.length < startupProbe.failureThreshold * speedUp // the time for a start stays
      })
      const living = new AbortController()
      const readiness = probing(address, readinessProbe, AbortSignal.any([signal, living.signal]), ({ length }) => {
        if (length === 0) isReady = true
        if (length >= readinessProbe.failureThreshold) isReady = false
        return true
      })
      if (last.length === 0) {
        await probing(address, livenessProbe, signal, (failures) => {
          last = failures
          return isIgnored || failures.length < livenessProbe.failureThreshold
        })
      }
      living.abort()
      await readiness
      isReady = false
      if (signal.aborted || (await restarts()) !== known) continue
      complain(`${name} would be killed: ${last.join('; ')}; ignored ${isIgnored}\n${await logsOf(docker, name)}`)
    }
  }
  const running = probe().catch((error: unknown) => {
    if (!signal.aborted) complain(`${name}: ${error}`)
  })
  const ignoreLiveness = (): void => {
    isIgnored = true
  }
  const stop = async (): Promise<void> => {
    stopping.abort()
    await running
  }
  return { isReady: () => isReady, ignoreLiveness, stop }
}
