import type { App } from '../../../app.ts'
import { OrdersError } from '../../../errors.ts'
import { reconcile, reversalOf } from '../../reconcile/reconcile.ts'
import { ranksOf } from './ranks.ts'

/** Steps per read. One keeps some 100 kB. */
const readCount = 10

/** Reverts a flip that was kept, in all partitions; orders that were counted since stay counted. @returns how many keys */
export async function revertFlip(app: App, name: string, alive: () => Promise<void>): Promise<number> {
  let reverted = 0
  for (const keys of app.partitions) {
    for (let cursor = '', flat: string[]; cursor !== '0'; ) {
      ;[cursor, flat] = await app.redis.hscan(keys.rebuildKept(name), cursor || '0', 'COUNT', readCount)
      for (let at = 0; at + 1 < flat.length; at += 2) {
        await alive()
        const differences = reversalOf(flat[at + 1] ?? '')
        const ranks = differences.flatMap(({ key, add }) => ranksOf(app, keys, key, [...add.keys()]))
        const step = { token: '', nextToken: '', kept: { name, step: flat[at] ?? '' } }
        if (await reconcile(app.redis, keys, step, { differences, ranks })) reverted += differences.length
      }
    }
  }
  if (reverted > 0) return reverted
  throw notKept(name)
}

/** @throws OrdersError ORD_USAGE if no flip is kept under this name */
export async function requireKept({ redis, partitions }: App, name: string): Promise<void> {
  for (const keys of partitions) if ((await redis.exists(keys.rebuildKept(name))) === 1) return
  throw notKept(name)
}

const notKept = (name: string): OrdersError =>
  new OrdersError('ORD_USAGE', `No flip is kept as ${name}: a kept one can be undone for a day.`)
