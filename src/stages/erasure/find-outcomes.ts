import { rawRecord } from '../../messages.ts'
import { identityIn } from '../../order/identity.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { masterOf } from '../../redis/cluster.ts'
import { mentioning } from './names.ts'
import type { Place } from './place.ts'

/** Finds orders of the user that a job has withdrawn from the invalid channel and not sent yet (see requeue.lua). */
export const outcomesPlace: Place = async function* ({ app, userId }) {
  const { redis, partitions, format } = app
  const mentions = mentioning(userId)
  const isOf = (text: string): boolean => {
    try {
      const own = identityIn(rawRecord.parse(JSON.parse(text)).body, format).userId
      return own === undefined ? mentions(text) : own === userId
    } catch {
      return mentions(text)
    }
  }
  for (const keys of partitions) {
    const node = await masterOf(redis, keys.counters)
    for (let cursor = '', names: string[]; cursor !== '0'; ) {
      ;[cursor, names] = await node.scan(cursor || '0', 'MATCH', `${keys.outcome('')}*`, 'COUNT', 1_000)
      const read = redis.pipeline()
      for (const name of names) read.hgetall(name)
      const hashes = unwrapReplies(await read.exec()) as Record<string, string>[]
      for (const [at, name] of names.entries()) {
        for (const [field, value] of Object.entries(hashes[at] ?? {})) {
          if (field.split(' ').at(-1) !== 'withdrawn' || !isOf(value)) continue
          yield { record: `${name} ${field}`, remove: async () => (await redis.hdel(name, field)) >= 0 }
        }
      }
    }
  }
}
