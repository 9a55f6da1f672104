import { z } from 'zod'
import type { System } from './system.ts'

/** Connects to each address of each target, and prints the names of those that answer. A container has no route to others. */
const script = `
const { connect } = require('node:net')
const open = (options) => new Promise((resolve) => {
  const socket = connect({ ...options, timeout: 5000 })
  for (const event of ['connect', 'error', 'timeout']) {
    socket.on(event, () => { resolve(event === 'connect'); socket.destroy() })
  }
})
const targets = JSON.parse(process.argv[1])
const tries = targets.map(async ({ name, hosts, port }) =>
  (await Promise.all(hosts.map((host) => open({ host, port })))).includes(true) ? [name] : [])
Promise.all(tries).then((names) => process.stdout.write(JSON.stringify(names.flat())))
`

/** Returns what the containers of places reach in fact, as `from → to`. */
export async function reachedFrom(system: System, places: readonly string[]): Promise<string[]> {
  const ports = new Map(system.edges.map(({ to }) => [to.name, to.port]))
  const targets = await Promise.all(
    [...ports].map(async ([name, port]) => ({ name, hosts: await system.addressesOf(name), port })),
  )
  const found = await Promise.all(
    places.map(async (from) => {
      const others = targets.filter(({ name }) => name !== from)
      const printed = await system.exec(from, 'node', '-e', script, JSON.stringify(others))
      return z
        .array(z.string())
        .parse(JSON.parse(printed))
        .map((to) => `${from} → ${to}`)
    }),
  )
  return found.flat()
}
