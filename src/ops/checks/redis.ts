import type { Config } from '../../config/config.ts'
import { lowWater } from '../../ingest/backpressure.ts'
import { countText } from '../../reads/count-text.ts'
import { hostOf, safeUrl } from '../../redis/endpoint.ts'
import { serviceAt } from '../../redis/service.ts'
import { error, type Finding, ok, unread, warning } from './finding.ts'
import type { Server } from './server.ts'

/** Older versions have no XAUTOCLAIM, which claims the entries of dead consumers. */
export const oldestRedis = 6.02

/** Judges one property of a server. */
export type ServerCheck = (server: Server, config: Config) => Finding

export const version: ServerCheck = ({ info }, config) => {
  const check = 'redis version'
  const { redis_version: found, valkey_version: valkey } = info
  if (!found) return unread(check, 'use Redis 7.0 or newer')
  const text = `${found}${valkey ? ` (Valkey ${valkey})` : ''} at ${safeUrl(config)}`
  if (!isFrom(oldestRedis, found))
    return error(check, text, 'Use Redis 7.0 or newer: before 6.2 there is no XAUTOCLAIM.')
  if (!isFrom(7, found))
    return warning(check, text, 'Use Redis 7.0 or newer: 6.2 does not report claimed entries that were deleted.')
  return ok(check, text)
}

/** @param min major version, and the minor one in hundredths */
export function isFrom(min: number, version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major + minor / 100 >= min
}

export const commands: ServerCheck = ({ lacks, forbids, user }) => {
  const check = 'commands'
  if (lacks && lacks.length > 0) return error(check, `missing: ${lacks.join(', ')}`, 'Use Redis 7.0 or newer.')
  if (forbids && forbids.length > 0)
    return error(
      check,
      `user ${user} may not use ${forbids.join(', ')}`,
      'Allow them with ACL SETUSER: orders doctor --acl prints the line.',
    )
  if (user === undefined || (forbids === undefined && user !== 'default'))
    return unread(check, `give the user ${user ?? 'of REDIS_URL'} the rights that orders doctor --acl prints`)
  return ok(check, `all allowed to the user ${user}`)
}

export const eviction: ServerCheck = ({ info, settings }, config) => {
  const check = 'eviction'
  const isServerless = serviceAt(hostOf(config)) === 'ElastiCache Serverless'
  const found = info['maxmemory_policy'] ?? settings['maxmemory-policy'] ?? (isServerless ? 'volatile-lru' : undefined)
  if (!found) return unread(check, 'set maxmemory-policy noeviction')
  if (found === 'noeviction') return ok(check, found)
  if (isServerless)
    return warning(
      check,
      `maxmemory-policy ${found}, as ElastiCache Serverless has it`,
      'Set no maximum for its data storage: when that is full, it evicts the ledger, and repeated orders count twice.',
    )
  return error(
    check,
    `maxmemory-policy ${found}`,
    'Set maxmemory-policy noeviction, or Redis deletes orders when it is full.',
  )
}

export const memory: ServerCheck = ({ info }, { highWaterMemory }) => {
  const check = 'memory'
  const [used, max] = [Number(info['used_memory']), Number(info['maxmemory'])]
  if (Number.isNaN(used) || Number.isNaN(max))
    return unread(check, 'monitor it, because only HIGH_WATER_ORDERS limits the bridge')
  if (max === 0) return ok(check, `${megabytes(used)} used, no maxmemory: only HIGH_WATER_ORDERS limits the bridge`)
  const percent = Math.round((used / max) * 100)
  const found = `${megabytes(used)} of ${megabytes(max)} used (${percent} %)`
  const resumes = Math.round(highWaterMemory * lowWater)
  if (percent < resumes) return ok(check, found)
  const effect = `at ${highWaterMemory} % (HIGH_WATER_MEMORY) the bridge stops receiving, until it is below ${resumes} %`
  return warning(check, found, `Raise maxmemory: ${effect}.`)
}

const megabytes = (bytes: number): string => `${countText(Math.round(bytes / 1_000_000))} MB`

export const replication: ServerCheck = ({ info }, { sqsDeleteAfter }) => {
  const check = 'replication'
  const { role, connected_slaves: connected = '0' } = info
  if (role === undefined) return unread(check, 'connect to the master')
  if (role !== 'master')
    return error(check, 'a replica, which takes no writes', 'Connect to the master: set REDIS_URL.')
  const found = `master, ${connected} replica${connected === '1' ? '' : 's'}`
  const wanted = sqsDeleteAfter?.kind === 'replicas' ? sqsDeleteAfter.replicas : 0
  if (Number(connected) >= wanted) return ok(check, found)
  const advice = `Connect replicas or lower SQS_DELETE_AFTER=replicas:${wanted}: until then no message is deleted from SQS.`
  return warning(check, found, advice)
}
