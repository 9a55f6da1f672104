import type { App } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import { OrdersError } from '../../errors.ts'
import { archive } from '../../stages/archive/archive.ts'
import { leftField } from '../../stages/archive/tail.ts'
import { leaveObserver } from '../../stages/layout/leave.ts'
import { operatingUser } from '../process/operating-user.ts'
import { closeChains } from './close-chains.ts'

/**
 * Takes the archive out: Redis keeps no orders for it any more. What it has written stays. If it is run again, it begins a new
 * chain, and the orders in between are missing in it.
 * @throws OrdersError ORD_USAGE while a process runs it; ORD_ARCHIVE if the store cannot be read, or does not take the lines
 *   that it lacks
 */
export async function leaveArchive(app: App): Promise<void> {
  const action = { action: 'archive-leave', by: operatingUser(), what: '{}' } as const
  await audited(app, action, async () => {
    for (const keys of app.partitions) {
      const left = await leaveObserver({ ...app, keys }, archive.name, { key: keys.archive, fields: ['failure'] })
      if (left === 'runs')
        throw new OrdersError(
          'ORD_USAGE',
          'A process runs the archive: stop it first. A killed one counts for a minute.',
        )
    }
    await closeChains(app).catch((error: unknown) => {
      throw error instanceof OrdersError && error.code === 'ORD_ARCHIVE' ? unclosedError(app, error) : error
    })
    for (const keys of app.partitions) await app.redis.hset(keys.archive, leftField, app.now().toISOString())
  })
}

function unclosedError({ partitions }: App, cause: OrdersError): OrdersError {
  const keys = partitions.flatMap(({ archive, archiveLines }) => [archive, archiveLines]).join(', ')
  const left =
    'Redis keeps no orders for the archive any more, but it alone knows how the manifest ends, which cannot be written'
  const next =
    'Run this again when they can. If the archive is gone for good, delete these keys of Redis, and run this again'
  return new OrdersError('ORD_ARCHIVE', `${left}: ${cause.message.replace(/\.$/, '')}. ${next}: ${keys}`, { cause })
}
