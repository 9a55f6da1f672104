import type { App } from '../../app.ts'
import type { RedisClient } from '../../redis/client.ts'
import { mastersOf } from '../../redis/cluster.ts'
import { isErrorReply, unlessForbidden, unlessRefused } from '../../redis/errors.ts'
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
    ask((master) => answerOf(master.call('WAITAOF', file === 'hidden' ? 1 : 0, 0, 1))),
    ask((master) => answerOf(master.call('WAIT', 0, 1))),
  ])
  return {
    file,
    writesFile: infos.every((info) => info('aof_last_write_status') !== 'err'),
    fsync: weakest(fsyncs),
    syncsWhileRewriting: !rewriting.includes('yes'),
    waitaof: waitaof.every((answer) => answer === 'given'),
    wait: wait.every((answer) => answer === 'given'),
    isReplica: [...waitaof, ...wait].includes('by a replica'),
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

type Answer = 'given' | 'refused' | 'by a replica'

/** A server that is not a master any more does not say what its master knows. */
async function answerOf(reply: Promise<unknown>): Promise<Answer> {
  try {
    await reply
    return 'given'
  } catch (error) {
    if (!isErrorReply(error)) throw error
    return error.message.includes('with replica instances') ? 'by a replica' : 'refused'
  }
}
