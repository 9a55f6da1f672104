import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { isMissingStream } from '../../redis/errors.ts'
import type { Stage } from '../../stages/placed.ts'
import { groupNamed } from '../../stages/runner/groups.ts'

/** @throws OrdersError ORD_USAGE if no process has run the stage: it has no place in the stream yet from which it goes on */
export async function requireStarted({ redis, partitions }: App, { name, from }: Stage): Promise<void> {
  for (const keys of partitions) {
    const groups = await redis.xinfo('GROUPS', keys.stream(from)).catch((error: unknown) => {
      if (isMissingStream(error)) return []
      throw error
    })
    if (groupNamed(groups, name)) continue
    throw new OrdersError(
      'ORD_USAGE',
      `No process has run ${name} yet: start one, by orders run ${name}, and try again.`,
    )
  }
}
