import { parse } from 'yaml'
import { until } from '../../until.ts'
import { killContainer } from '../kill.ts'
import { environmentOf, job, type Manifests } from './manifests.ts'
import { creation } from './pod.ts'
import type { System } from './system.ts'

/** Runs a Job to its end, and kills it once on the way. Returns what it printed. */
export async function runJob(
  { node, id }: System,
  text: string,
  manifests: Manifests,
  killAt: string,
): Promise<string> {
  const { docker, networks } = node
  const { metadata, spec } = job.parse(parse(text))
  const { securityContext, containers } = spec.template.spec
  const [container] = containers
  const name = `${id}-${metadata.name}`
  const place = spec.template.metadata.labels['app.kubernetes.io/component'] ?? ''
  const options = creation(node, securityContext, container, environmentOf(manifests, container))
  await networks.start(place, name, ['--restart', `on-failure:${spec.backoffLimit}`, ...options])
  const logs = (): Promise<string> => docker('logs', name)
  await until(`${name} to print ${killAt}`, logs, (printed) => printed.includes(killAt))
  await killContainer(docker, name)
  const format = '{{.State.Status}} {{.State.ExitCode}}'
  const state = async (): Promise<string> => (await docker('inspect', '--format', format, name)).trim()
  const ended = await until(`${name} to end`, state, (found) => found.startsWith('exited'))
  const printed = await logs()
  if (ended !== 'exited 0') throw new Error(`${name} ${ended}: ${printed}`)
  await docker('rm', name)
  return printed
}
