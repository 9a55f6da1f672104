import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { isMissingStream } from '../../redis/errors.ts'
import type { Stage } from '../../stages/placed.ts'
import { groupNamed } from '../../stages/runner/groups.ts'

/** A process that starts begins at all partitions within a moment. */
const [maxTries, retryMs] = [20, 100]

/**
 * Waits for a stage that starts.
 * @throws OrdersError ORD_USAGE if no process has run it: it has no place in the stream yet from which it goes on
 */
export async function requireStarted(
  app: Pick<App, 'redis' | 'partitions'>,
  stage: Stage,
  alive: () => Promise<void>,
): Promise<void> {
  for (let tries = 1; !(await isStarted(app, stage)); tries++) {
    if (tries === maxTries) {
      const { name } = stage
      const text = `No process has run ${name} yet: start one, by orders run ${name}, and try again.`
      throw new OrdersError('ORD_USAGE', text)
    }
    await alive()
    await sleep(retryMs)
  }
}

async function isStarted({ redis, partitions }: Pick<App, 'redis' | 'partitions'>, stage: Stage): Promise<boolean> {
  for (const keys of partitions) {
    const groups = await redis.xinfo('GROUPS', keys.stream(stage.from)).catch((error: unknown) => {
      if (isMissingStream(error)) return []
      throw error
    })
    if (!groupNamed(groups, stage.name)) return false
  }
  return true
}
