import { randomInt } from 'node:crypto'
import type { Docker } from '../opened.ts'
import { allOf } from './all-of.ts'
import type { Edge } from './policies.ts'

/** One Docker network for each connection that the policies allow: containers without a common one do not reach each other. */
export interface Networks {
  /** Creates a container of a place, connects it to the networks of the place, and starts it. Returns its address. */
  start(place: string, container: string, create: readonly string[]): Promise<string>
}

/** The part of the private addresses that the networks of one run share, in sixteenths of its last number. */
const subnets = (): ((nth: number) => string) => {
  const [second, third] = [randomInt(1, 250), 2 * randomInt(125)]
  return (nth) => `10.${second}.${third + (nth >> 4)}.${16 * (nth & 15)}/28`
}

export async function openNetworks(
  docker: Docker,
  id: string,
  label: string,
  edges: readonly Edge[],
): Promise<Networks> {
  const subnet = subnets()
  const networks = edges.map(({ from, to }) => ({ name: `${id}-${from.name}-${to.name}`, ends: [from.name, to.name] }))
  await allOf(
    networks.map(({ name }, nth) =>
      docker('network', 'create', '--internal', '--label', label, '--subnet', subnet(nth), name),
    ),
  )
  const start = async (place: string, container: string, create: readonly string[]): Promise<string> => {
    const [first, ...others] = networks.filter(({ ends }) => ends.includes(place)).map(({ name }) => name)
    if (first === undefined) throw new Error(`The policies let ${place} reach nothing, and nothing reach it.`)
    await docker('create', '--name', container, '--network', first, '--network-alias', place, ...create)
    for (const name of others) await docker('network', 'connect', '--alias', place, name, container)
    await docker('start', container)
    const format = `{{(index .NetworkSettings.Networks "${first}").IPAddress}}`
    return (await docker('inspect', '--format', format, container)).trim()
  }
  return { start }
}
