import type { PartitionScope, Tick } from '../../app.ts'
import { blockingConnection, closeOnStop } from '../../redis/client.ts'
import { housekeeper } from '../housekeeping.ts'
import type { Stage } from '../placed.ts'
import { type Consumer, consume, type Read } from '../runner/consume.ts'
import { removeConsumers } from '../runner/dead-consumers.ts'
import { ensureGroups } from '../runner/groups.ts'
import { trim } from '../runner/trim.ts'
import { storeLines } from './lines.ts'
import { patience } from './patience.ts'
import { attended } from './store/attended.ts'
import { openStore } from './store/store.ts'
import { openWriter } from './writer.ts'

/** Part of STOP_GRACE_MS in which a stop may still write the open segment. */
const shareOfGrace = 0.8

/** Resolves when all that was written to the partition is durable in Redis. */
export type Confirm = (signal: AbortSignal) => Promise<void>

/**
 * Runs the archive on a partition until the signal aborts. What has been read by then is committed before it returns, if the
 * store takes it in time; else its entries stay pending, and another consumer claims them.
 */
export async function runArchive(
  scope: PartitionScope,
  stage: Stage,
  tick: Tick,
  signal: AbortSignal,
  confirm: Confirm,
): Promise<void> {
  const { config, redis, keys, instance } = scope
  await ensureGroups(scope)
  await trim(scope, stage)
  using opened = await openStore(config, { attempts: 1 }) // patience tries again, and writes the outage down
  using reader = blockingConnection(redis, config.blockMs)
  using _ = closeOnStop(reader, config.stopGraceMs, signal)
  using ending = endAfter(signal, shareOfGrace * config.stopGraceMs)
  const consumer: Consumer = { stage, stream: keys.stream(stage.from), name: instance, reader }
  const store = attended(opened, tick, ending.signal)
  const patiently = patience(scope, tick, ending.signal)
  await using writer = openWriter({ scope, consumer, store, patiently, confirm: () => confirm(ending.signal) })
  await patiently((signal) => storeLines(scope, store, signal)) // a killed process has left them in Redis alone
  const tidyIfDue = housekeeper(scope, consumer)
  for await (const { entries, more } of untilStopped(consume(scope, consumer, signal), signal)) {
    await writer.add(entries)
    const isDue = await writer.isDue(!more)
    if (isDue) await writer.cut()
    await tidyIfDue(isDue)
    tick()
  }
  try {
    await writer.cut()
  } catch (error) {
    if (!ending.signal.aborted) throw error
  }
  await removeConsumers(scope, consumer, true)
}

/** Yields reads. The stop closes the connection, maybe during one: that is the end, not a failure. */
async function* untilStopped(reads: AsyncGenerator<Read, void>, signal: AbortSignal): AsyncGenerator<Read, void> {
  try {
    yield* reads
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Returns a signal that aborts some time after another one. */
function endAfter(signal: AbortSignal, ms: number): Disposable & { readonly signal: AbortSignal } {
  const later = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const start = (): void => {
    timer = setTimeout(() => later.abort(), ms)
  }
  if (signal.aborted) start()
  else signal.addEventListener('abort', start, { once: true })
  return {
    signal: later.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', start)
    },
  }
}
