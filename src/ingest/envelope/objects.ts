import { isUtf8 } from 'node:buffer'
import type { App, Tick } from '../../app.ts'
import { withRunningTimeout } from '../../running-timeout.ts'
import { reportOutage, retryDelayMs } from '../failure-log.ts'
import { retryUntilDone } from '../retry.ts'
import { openS3, type S3 } from './s3.ts'
import type { S3Pointer } from './s3-pointer.ts'

/** The text of an object, or why it cannot be had. */
export type ObjectText = { readonly text: string } | { readonly missing: string }

/** Reads the objects of S3 that messages point to. */
export interface Objects extends Disposable {
  /** Tries until S3 answers: while it is away, this waits. @throws when the signal aborts */
  read(pointer: S3Pointer, tick: Tick, signal: AbortSignal): Promise<ObjectText>
}

/** With the pollers' messages at most 4 × 4 MiB are on their way at once. */
const readsAtOnce = 4
const callMs = 10_000

export function openObjects(app: App): Objects {
  const outage = reportOutage(app, 'object')
  const free = semaphore(readsAtOnce)
  let s3: Promise<S3> | undefined // the SDK's client takes 100 ms to load, and most queues have no pointers
  return {
    read: (pointer, tick, signal) => {
      const read = async (): Promise<ObjectText> => {
        tick()
        using _ = await free(tick, signal) // for one try: while S3 is away, each of them has its turn
        s3 ??= openS3(app.config)
        const { get } = await s3
        const bytes = await withRunningTimeout(callMs, (late) => get(pointer, AbortSignal.any([signal, late])))
        if ('missing' in bytes) return bytes
        return isUtf8(bytes.body) ? { text: bytes.body.toString() } : { missing: 'is no text' }
      }
      return retryUntilDone(outage, read, signal)
    },
    [Symbol.dispose]: () => void s3?.then((client) => client.close()),
  }
}

/** Returns a function that waits for one of the places, which are given in the order of asking. Who waits ticks. */
function semaphore(places: number): (tick: Tick, signal: AbortSignal) => Promise<Disposable> {
  let free = places
  const waiting: (() => void)[] = []
  const leave = (): void => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }
  const turn = async (tick: Tick): Promise<void> => {
    const ticking = setInterval(tick, retryDelayMs) // progress: others are read meanwhile
    await new Promise<void>((resolve) => waiting.push(resolve))
    clearInterval(ticking)
  }
  return async (tick, signal) => {
    signal.throwIfAborted()
    if (free > 0) free--
    else await turn(tick)
    const place = { [Symbol.dispose]: leave }
    if (!signal.aborted) return place
    leave()
    throw signal.reason
  }
}
