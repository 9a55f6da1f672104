import type { Keep } from '../calendar/periods.ts'
import { complaint } from './complaint.ts'
import { isForeign, queueAddress } from './queue-address.ts'
import { type RedisPlace, readRedisUrl, splitUrls } from './redis-url.ts'

interface RedisSettings {
  readonly redisUrl?: string | undefined
  readonly redisCluster?: boolean
  readonly redisSentinels?: unknown
}

/** Requires both credentials, or none. */
export function halfCredentials({ AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret }: NodeJS.ProcessEnv): string[] {
  if (Boolean(id) === Boolean(secret)) return []
  const [set, missing] = id ? ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'] : ['SECRET_ACCESS_KEY', 'ACCESS_KEY_ID']
  return [`AWS_${missing} is not set: expected together with AWS_${set}.`]
}

interface QueueSettings {
  readonly sqsQueueName?: string
  readonly sqsQueueUrl?: string | undefined
  readonly sqsCreateQueue?: boolean | undefined
}

interface CalendarSettings {
  readonly calendarKeep?: Keep
  readonly calendarOpenDays?: number
}

/** Finds values that are valid alone but not together. */
export function contradictions(
  env: NodeJS.ProcessEnv,
  config: RedisSettings & QueueSettings & CalendarSettings,
): string[] {
  return [...ofQueue(env, config), ...ofRedis(env, config), ...ofCalendar(env, config)]
}

/** An order of an open day must find the boards of its day, its week and its month still kept. */
function ofCalendar(env: NodeJS.ProcessEnv, { calendarKeep, calendarOpenDays: open = 0 }: CalendarSettings): string[] {
  if (!calendarKeep) return []
  const { days, weeks, months } = calendarKeep
  const shortest = Math.min(days, 7 * weeks, 28 * months)
  if (open <= shortest) return []
  const name = env['CALENDAR_OPEN_DAYS'] ? 'CALENDAR_OPEN_DAYS' : 'CALENDAR_KEEP'
  const expected = `no more days in CALENDAR_OPEN_DAYS (${open}) than each part of CALENDAR_KEEP keeps (${shortest})`
  return [complaint(name, env[name] ?? '', expected)]
}

function ofQueue(env: NodeJS.ProcessEnv, { sqsQueueName = '', sqsQueueUrl, sqsCreateQueue }: QueueSettings): string[] {
  if (sqsQueueUrl && env['SQS_QUEUE_NAME'])
    return [complaint('SQS_QUEUE_NAME', env['SQS_QUEUE_NAME'], 'none with SQS_QUEUE_URL')]
  if (sqsCreateQueue && isForeign(queueAddress({ sqsQueueName, sqsQueueUrl })))
    return [complaint('SQS_CREATE_QUEUE', 'true', 'none with SQS_QUEUE_URL or an ARN: such a queue is never created')]
  return []
}

function ofRedis(env: NodeJS.ProcessEnv, config: RedisSettings): string[] {
  const { redisUrl = '', redisCluster, redisSentinels } = config
  const places = splitUrls(redisUrl).map(readRedisUrl)
  const some = (matches: (place: RedisPlace) => boolean): boolean =>
    redisUrl !== '' && places.some((place) => typeof place !== 'string' && matches(place))
  const hasPath = some(({ address }) => 'path' in address)
  const urls = (expected: string): string[] => [complaint('REDIS_URL', redisUrl, expected)]
  if (redisSentinels && redisCluster)
    return [complaint('REDIS_SENTINELS', env['REDIS_SENTINELS'], 'none with REDIS_CLUSTER=true')]
  if (redisSentinels && hasPath) return urls(`${expectedNode}, with REDIS_SENTINELS`)
  if (redisCluster && hasPath) return urls(`${expectedNode}, with REDIS_CLUSTER=true`)
  if (redisCluster && some(({ database }) => database > 0))
    return urls('no database: a Redis Cluster has only database 0')
  if (!redisCluster && places.length > 1) return urls('one URL, or several with REDIS_CLUSTER=true')
  return []
}

const expectedNode = 'a redis:// or rediss:// URL'
