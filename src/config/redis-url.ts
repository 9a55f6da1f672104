import { isIPv6 } from 'node:net'

/** A host and port, or the path of a socket. */
export type RedisAddress = { readonly host: string; readonly port: number } | { readonly path: string }

/** A parsed URL of Redis: its address, whether it uses TLS, the credentials and the database. */
export interface RedisPlace {
  readonly address: RedisAddress
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
}

/** The expected form of REDIS_URL, used when no more precise text applies. */
export const expectedRedisUrl = 'a redis:// or rediss:// URL, or the path of a socket'
const expectedDatabase = 'a database number after the host, such as redis://host:6379/2'
const expectedEscapes =
  '% in its user and password as %25, @ as %40, : as %3A, / as %2F, ? as %3F and # as %23, and nothing after the database'

/** Splits a list of URLs. A comma in a password does not split. */
export const splitUrls = (urls: string): string[] => urls.split(/,(?=rediss?:\/\/)/i)

/** Parses one URL. Returns a text of what was expected if it is invalid. */
export function readRedisUrl(url: string): RedisPlace | string {
  const socket = /^(?:unix:\/\/(?:(?<user>[^/?#]*)@)?)?(?<path>\/[^?#]+)(?:\?db=(?<database>\d{1,9}))?$/.exec(url)
  if (socket?.groups) return placeOf(socket.groups, { path: socket.groups['path'] ?? '' }, false)
  const parts = /^redis(?<s>s?):\/\/(?:(?<user>[^/?#]*)@)?(?<at>[^/?#]+)(?<rest>.*)$/is.exec(url)?.groups
  if (!parts) return expectedRedisUrl
  const address = readAddress(parts['at'] ?? '', 6379)
  const rest = parts['rest'] ?? ''
  if (/[@?#]/.test(rest)) return expectedEscapes
  if (!address) return expectedRedisUrl
  const database = /^\/?(\d{0,9})$/.exec(rest)?.[1]
  return database === undefined ? expectedDatabase : placeOf({ ...parts, database }, address, parts['s'] !== '')
}

/** Parses `host`, `host:port` or `[address]:port`. Returns undefined for anything else. */
export function readAddress(text: string, defaultPort: number): { host: string; port: number } | undefined {
  const parts = /^(?:\[(?<six>[^\]]+)\]|(?<name>[^\s:,[\]%\\@/?#<>^|"]+))(?::(?<port>\d{0,5}))?$/.exec(text)?.groups
  const host = parts?.['six'] ?? parts?.['name']
  const port = Number(parts?.['port'] || defaultPort)
  if (host === undefined || port < 1 || port > 65_535) return undefined
  return parts?.['six'] === undefined || isIPv6(host) ? { host, port } : undefined
}

/** Returns what was expected, for each URL that is invalid. */
export const unreadable = (urls: string): string[] =>
  splitUrls(urls)
    .map(readRedisUrl)
    .filter((read) => typeof read === 'string')

/** Returns the variable to use when REDIS_HOST holds more than a host. */
export function expectedHost(given: string): string | undefined {
  if (given.startsWith('/')) return 'a host name or address: the path of a socket goes into REDIS_URL'
  if (given.includes('://')) return undefined
  if (given.includes('@')) return 'a host name or address alone: user and password go into REDIS_URL'
  return /:\d*$/.test(given) ? 'a host name or address alone: its port goes into REDIS_PORT' : undefined
}

/** Checks for a host name or address without a port. */
export const isHost = (text: string): boolean => isIPv6(text) || readAddress(`${text}:1`, 0) !== undefined

function placeOf(parts: Record<string, string>, address: RedisAddress, tls: boolean): RedisPlace | string {
  const { user = '', database } = parts
  const colon = user.includes(':') ? user.indexOf(':') : user.length
  const decoded = [user.slice(0, colon), user.slice(colon + 1)].map(decode)
  if (decoded.includes(undefined)) return expectedEscapes
  const [username, password] = decoded.map((part) => part || undefined)
  return { address, tls, username, password, database: Number(database ?? 0) }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // a bare %
  }
}
