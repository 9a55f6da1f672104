import type { PartitionScope } from '../../app.ts'
import type { OrderFormat } from '../../order/format.ts'
import { identityIn, identityInRecord, identityText } from '../../order/identity.ts'
import { isObject } from '../../order/json.ts'
import { type InvalidEntry, toEntry } from '../invalid/entry.ts'
import { removeEntries } from '../invalid/requeue.ts'
import { mentioning, someText } from './names.ts'
import type { Place } from './place.ts'

/** An entry may have 1 MB. */
const pageLength = 20

/** Finds rejected records of the user in the invalid channel. */
export const invalidPlace: Place = async function* ({ app, userId }) {
  const isOf = recordsOf(userId, app.format)
  for (const keys of app.partitions) {
    const scope: PartitionScope = { ...app, keys }
    for await (const found of pages(scope, keys.invalid)) {
      if (isOf(found[1]?.[3] ?? '')) yield { record: found[0], remove: () => removeInvalid(scope, found) }
    }
  }
}

async function removeInvalid(scope: PartitionScope, found: Page): Promise<boolean> {
  const entry = entryOf(scope, found)
  if (entry) await removeEntries(scope, [entry], 'erased:invalid')
  else await scope.redis.xdel(scope.keys.invalid, found[0])
  return true
}

/** Returns undefined for a record of another client, which is in the stream alone. */
function entryOf({ keys }: PartitionScope, found: Page): InvalidEntry | undefined {
  try {
    return toEntry(keys, found)
  } catch {
    return undefined
  }
}

/** Finds rejected records of the user that an operator discarded. */
export const discardedPlace: Place = async function* ({ app, userId }) {
  const isOf = recordsOf(userId, app.format)
  const mentions = mentioning(userId)
  for (const keys of app.partitions) {
    for await (const [id, fields] of pages({ ...app, keys }, keys.discarded)) {
      const of = (name: string): string => fields?.[(fields?.indexOf(name) ?? -1) + 1] ?? ''
      if (!isOf(of('record')) && !mentions(of('reason'))) continue
      const remove = async (): Promise<boolean> => {
        await app.redis.multi().xdel(keys.discarded, id).hincrby(keys.counters, 'erased:discarded', 1).exec()
        return true
      }
      yield { record: id, remove }
    }
  }
}

type Page = [id: string, fields: string[] | null]

async function* pages({ redis }: PartitionScope, stream: string): AsyncGenerator<Page> {
  for (let after = '-', read = pageLength; read === pageLength; ) {
    const page = await redis.xrange(stream, after, '+', 'COUNT', pageLength)
    yield* page
    read = page.length
    after = `(${page.at(-1)?.[0] ?? ''}`
  }
}

/**
 * Returns a check whether a rejected record is of the user: by the user in it, or in an earlier body of it. A record without a
 * user is theirs if any text in it mentions them: nothing else is known of whose it is.
 */
export function recordsOf(userId: string, format: OrderFormat): (json: string) => boolean {
  const mentions = mentioning(userId)
  return (json) => {
    try {
      const record: unknown = JSON.parse(json)
      if (!isObject(record)) return mentions(json)
      const bodies = Array.isArray(record['edits']) ? record['edits'] : []
      if (bodies.some((edit) => isObject(edit) && identityIn(String(edit['before']), format).userId === userId))
        return true
      const own = record['stage'] === undefined ? identityInRecord(json, format).userId : userOf(record['order'])
      return own === undefined ? someText(withBytes(record), mentions) : own === userId
    } catch {
      return mentions(json)
    }
  }
}

const userOf = (order: unknown): string | undefined => (isObject(order) ? identityText(order['user_id']) : undefined)

/** Returns a record with the text of the fields that it has in base64. */
function withBytes(record: Readonly<Record<string, unknown>>): unknown {
  const { raw_base64: bytes } = record
  if (typeof bytes !== 'string') return record
  return { ...record, bytes: bytes.split(' ').map((part) => Buffer.from(part, 'base64').toString('latin1')) }
}
