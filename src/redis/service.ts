/** Managed services whose endpoints name them. Those of Memorystore do not; Upstash has WAITAOF, which says enough. */
const services = [
  ['MemoryDB', /\.memorydb\.[a-z\d-]+\.amazonaws\.com(\.cn)?$/],
  ['ElastiCache Serverless', /\.serverless\.[a-z\d-]+\.cache\.amazonaws\.com(\.cn)?$/],
  ['ElastiCache', /\.cache\.amazonaws\.com(\.cn)?$/],
] as const

export type Service = (typeof services)[number][0]

/** Returns the managed service to which a host name belongs; undefined if its name does not say so. */
export function serviceAt(host: string | undefined): Service | undefined {
  const name = host?.toLowerCase().replace(/\.$/, '')
  return name === undefined ? undefined : services.find(([, pattern]) => pattern.test(name))?.[0]
}
