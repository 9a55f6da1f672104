import type { App, PartitionScope } from '../../app.ts'
import type { RawRecord } from '../../messages.ts'
import { identityIn } from '../../order/identity.ts'
import { decodeEntry, type Entry } from '../runner/entry.ts'
import { mentioning } from './names.ts'
import type { Place } from './place.ts'

/** A raw entry may hold ten bodies of 1 MB. */
const pageLength = 10

/** Finds entries of the work streams that name the user. The stages finish them: then they are trimmed. */
export const waitingPlace: Place = async function* ({ app, userId }) {
  const mentions = mentioning(userId)
  for (const keys of app.partitions) {
    for (const { name, writer } of app.pipeline.channels) {
      const isOf = (record: object): boolean => userIn(app, record, writer === undefined) === userId
      for await (const entry of entriesOf({ ...app, keys }, name)) {
        const { records, fields } = entry
        const names = records ? records.some(isOf) : fields.some((field) => mentions(field.toString()))
        if (names) yield { record: `${keys.stream(name)} ${entry.id}`, remove: async () => false }
      }
    }
  }
}

function userIn({ format }: App, record: object, isRaw: boolean): string | undefined {
  if (isRaw) return identityIn((record as RawRecord).body, format).userId
  return 'user_id' in record ? String(record.user_id) : undefined
}

async function* entriesOf({ redis, keys, pipeline }: PartitionScope, channel: string): AsyncGenerator<Entry> {
  for (let after = '-', read = pageLength; read === pageLength; ) {
    const page = await redis.xrangeBuffer(keys.stream(channel), after, '+', 'COUNT', pageLength)
    for (const [id, fields] of page) yield decodeEntry(pipeline, String(id), fields ?? [], channel)
    read = page.length
    after = `(${page.at(-1)?.[0] ?? ''}`
  }
}
