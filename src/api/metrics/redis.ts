import type { ReadMetric } from './metric.ts'

/** Served even without Redis; metrics that are read from Redis are absent then. */
export const redisUp: ReadMetric<boolean> = {
  name: 'orders_redis_up',
  type: 'gauge',
  help: '1 if Redis answers this process within two seconds.',
  by: 'all',
  read: (up) => [[up ? 1 : 0]],
}

/** Makes the same check as `/readyz`. */
export const redisWritable: ReadMetric<boolean> = {
  name: 'orders_redis_writable',
  type: 'gauge',
  help: '1 if Redis accepts a write from this process; 0 while it is a replica, full, or lacks disk or replicas; absent while it does not answer.',
  by: 'all',
  read: (writable) => [[writable ? 1 : 0]],
}

/** The metrics of a process that waits for Redis at its start: it is seen as one that Redis does not answer, not as ended. */
export const awaitingRedis = `# HELP ${redisUp.name} ${redisUp.help}
# TYPE ${redisUp.name} ${redisUp.type}
${redisUp.name} 0
`
