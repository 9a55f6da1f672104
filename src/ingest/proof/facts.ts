import type { App } from '../../app.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import type { RedisClient } from '../../redis/client.ts'
import { mastersOf } from '../../redis/cluster.ts'
import { unlessForbidden, unlessRefused } from '../../redis/errors.ts'
import { type Info, infoAt } from '../../redis/info.ts'
import type { DurabilityFacts } from './proof.ts'

/** Reads the facts that decide how a write can be confirmed. */
export async function readDurabilityFacts({ redis, partitions }: App): Promise<DurabilityFacts> {
  const asked = Promise.all(partitions.map(({ barrier }) => infoAt(redis, barrier, 'persistence')))
  const infos = (await unlessForbidden(asked)) ?? []
  const masters = mastersOf(redis)
  const file = fileIn(infos)
  const ask = <T>(question: (master: RedisClient) => Promise<T>): Promise<T[]> => Promise.all(masters.map(question))
  const [fsyncs, rewriting, waitaof, wait] = await Promise.all([
    ask((master) => setting(master, 'appendfsync')),
    ask((master) => setting(master, 'no-appendfsync-on-rewrite')),
    // Of a server that may have no file, WAITAOF also says that: it is refused.
    ask((master) => isAnswered(master.call('WAITAOF', file === 'hidden' ? 1 : 0, 0, 1))),
    ask((master) => isAnswered(master.call('WAIT', 0, 1))),
  ])
  return {
    file,
    writesFile: infos.every((info) => info('aof_last_write_status') !== 'err'),
    fsync: weakest(fsyncs),
    syncsWhileRewriting: !rewriting.includes('yes'),
    waitaof: waitaof.every(Boolean),
    wait: wait.every(Boolean),
  }
}

/** Managed services hide INFO, or its section about files alone. */
function fileIn(infos: readonly Info[]): DurabilityFacts['file'] {
  const enabled = infos.map((info) => info('aof_enabled'))
  if (enabled.length === 0 || enabled.includes(undefined)) return 'hidden'
  return enabled.every((value) => value === '1') ? 'on' : 'off'
}

function weakest(fsyncs: readonly (string | undefined)[]): string | undefined {
  if (fsyncs.includes('no')) return 'no'
  return fsyncs.every((fsync) => fsync === 'always') ? 'always' : fsyncs.find((fsync) => fsync !== 'always')
}

/** Returns undefined where CONFIG is not allowed, as on managed services. */
async function setting(redis: RedisClient, name: string): Promise<string | undefined> {
  const [, value] = ((await unlessRefused(redis.config('GET', name))) ?? []) as string[]
  return value
}

/** @throws OrdersError ORD_REDIS_UNREACHABLE for a server that is not a master any more: what it has says nothing about its master */
async function isAnswered(reply: Promise<unknown>): Promise<boolean> {
  const asMaster = reply.catch((error: unknown) => {
    if (!messageOf(error).includes('with replica instances')) throw error
    const message = 'Redis has become a replica meanwhile: make sure that its new master answers, and start again.'
    throw new OrdersError('ORD_REDIS_UNREACHABLE', message, { cause: error })
  })
  return (await unlessRefused(asMaster)) !== undefined
}
