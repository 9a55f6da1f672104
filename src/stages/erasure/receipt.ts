import { z } from 'zod'
import type { App } from '../../app.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { userDigest } from './erasures.ts'
import type { PlaceName } from './places.ts'

const count = z.int()

/** Records that an erasure has removed, over all of its runs. */
const removed = z.object({
  invalid: count.meta({ description: 'Rejected orders in the invalid channel.' }),
  discarded: count.meta({ description: 'Rejected orders that were discarded.' }),
  jobs: count.meta({ description: 'Jobs that held an order, and events of their queue.' }),
  outcomes: count.meta({ description: 'Orders that a job had withdrawn to send them elsewhere.' }),
  archive: count.meta({ description: 'Segments of the archive that were written again without the user.' }),
  audit: count.meta({ description: 'Entries of the audit log. They stay, without the id.' }),
})

/** The receipt of an erasure. It does not name the user. */
export const receipt = z.object({
  erasure: z.string().meta({ description: 'Its id.' }),
  user: z.string().meta({ description: 'SHA-256 of the user_id in UTF-8, in hexadecimal digits.' }),
  erased_at: z.iso.datetime().meta({ description: 'From then on messages of the user are refused.' }),
  by: z.string(),
  complete: z.boolean().meta({ description: 'False if records are left that cannot be removed yet: erase again.' }),
  moved: z
    .object({ account: z.string(), orders: count, minor: count, months: count })
    .meta({ description: 'Totals, in minor units, that the anonymous account has now.' }),
  removed,
  without_archive: z.literal(true).optional().meta({
    description: 'Given if an operator said that the archive is gone: it was not searched.',
  }),
  waiting: count.meta({ description: 'Records that are left: entries of the stages, and jobs that run.' }),
})
export type Receipt = z.output<typeof receipt>

/** Notes what is found before it is removed, so that the receipt of an erasure that is killed and run again is of the whole. */
export interface Notes {
  readonly head: Pick<Receipt, 'erasure' | 'erased_at' | 'by'>
  /** Notes a record once. */
  add(place: PlaceName | 'months', record: string): Promise<void>
  /** Notes the totals that are about to move. */
  totals(moving: { readonly orders: string; readonly minor: string }): Promise<void>
  counts(): Promise<Pick<Receipt, 'removed'> & { readonly moved: Omit<Receipt['moved'], 'account'> }>
  /** Keeps the counts alone. */
  close(receipt: Receipt): Promise<void>
}

const kept = receipt.pick({ erasure: true, erased_at: true, by: true }).extend({
  moved: receipt.shape.moved.partial().optional(),
  removed: removed.partial().optional(),
})

/** Opens the notes of a user's erasure, or makes them. */
export async function openNotes(
  { redis, control: { erasures } }: Pick<App, 'redis' | 'control'>,
  userId: string,
  head: Notes['head'],
): Promise<Notes> {
  const digest = userDigest(userId)
  await redis.hsetnx(erasures, digest, JSON.stringify(head))
  const before = kept.parse(JSON.parse((await redis.hget(erasures, digest)) ?? ''))
  const fields = async (): Promise<[field: string, value: string][]> => {
    const all = Object.entries(await redis.hgetall(erasures))
    return all.flatMap(([name, value]) =>
      name.startsWith(`${digest} `) ? [[name.slice(digest.length + 1), value]] : [],
    )
  }
  return {
    head: { erasure: before.erasure, erased_at: before.erased_at, by: before.by },
    add: async (place, record) => void (await redis.hset(erasures, `${digest} ${place} ${record}`, '1')),
    totals: async ({ orders, minor }) => {
      await redis.hset(erasures, { [`${digest} orders`]: orders, [`${digest} minor`]: minor })
    },
    counts: async () => {
      const found = await fields()
      const of = (place: keyof Receipt['removed'] | 'months'): number =>
        found.filter(([name]) => name.startsWith(`${place} `)).length
      const amount = (name: string): number => Number(found.find(([field]) => field === name)?.[1] ?? 0)
      const { moved = {}, removed: gone = {} } = before
      const names = Object.keys(removed.shape) as (keyof Receipt['removed'])[]
      return {
        moved: {
          orders: (moved.orders ?? 0) + amount('orders'),
          minor: (moved.minor ?? 0) + amount('minor'),
          months: (moved.months ?? 0) + of('months'),
        },
        removed: removed.parse(Object.fromEntries(names.map((name) => [name, (gone[name] ?? 0) + of(name)]))),
      }
    },
    close: async (done) => {
      const noted = (await fields()).map(([name]) => `${digest} ${name}`)
      const write = redis.multi().hset(erasures, digest, JSON.stringify(done))
      if (noted.length > 0) write.hdel(erasures, ...noted)
      unwrapReplies(await write.exec())
    },
  }
}
