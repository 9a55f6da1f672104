import type { App } from '../../app.ts'
import { readLiving } from '../../control/living.ts'
import { readPauses } from '../../control/pauses.ts'
import { OrdersError } from '../../errors.ts'
import { failureText, readArchiveState } from '../../reads/archive/state.ts'
import { archive } from '../../stages/archive/archive.ts'
import { flushArchive } from '../../stages/archive/flush.ts'

const lookEveryMs = 1_000
/** A failure is written down until a process writes again: one that runs needs a moment to try. */
const believedAfterMs = 3_000

/**
 * Flushes the archive, and ends soon where nothing will take the orders.
 * @throws OrdersError ORD_ARCHIVE that says why, and what to do; the reason of the signal
 */
export async function flushOrExplain(
  app: App,
  signal: AbortSignal,
  onWaiting: (partitions: number) => void = () => {},
): Promise<void> {
  const from = performance.now()
  let lookAt = from
  await flushArchive(app, signal, async (partitions) => {
    onWaiting(partitions)
    const now = performance.now()
    if (now < lookAt) return
    lookAt = now + lookEveryMs
    const why = await hindranceOf(app, now - from)
    if (why !== undefined) throw new OrdersError('ORD_ARCHIVE', `The archive has not taken all orders. ${why}`)
  })
}

/** Returns why the stage does not archive, and what to do; undefined if nothing shows that it does not. */
async function hindranceOf({ redis, control, partitions }: App, waitedMs: number): Promise<string | undefined> {
  const { [archive.name]: pause } = await readPauses(redis, control)
  if (pause) {
    const { by, ts, reason } = pause
    const since = `${ts === undefined ? '' : ` since ${ts}`}${reason ? ` (${reason})` : ''}`
    return `It is paused by ${by}${since}: run orders resume archive, then try again.`
  }
  if ((await readLiving(redis, control))(archive.name).processes === 0)
    return 'No process runs it: start one with the role archive, then try again.'
  const { failure } = await readArchiveState(redis, partitions)
  return failure && waitedMs >= believedAfterMs ? failureText(failure) : undefined
}
