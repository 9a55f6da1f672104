import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Tick } from '../app.ts'
import type { Keys } from '../keys.ts'
import type { Durability, RedisIncarnation } from './durability.ts'
import type { Received } from './envelope/received.ts'
import { type Outage, retryDelayMs } from './failure-log.ts'
import { countFitting, type Size, sizeOf } from './pieces.ts'
import { proveWrite } from './proof/barrier.ts'
import { writeMessages } from './write-messages.ts'

/** Names the partition whose `orders:raw` has the messages, and the incarnation of its Redis at the time. */
export interface Write {
  readonly keys: Keys
  readonly incarnation: RedisIncarnation
}

/** Holds orders of one receive that go to one partition: one piece. */
export interface Load {
  readonly received: readonly Received[]
  readonly tick: Tick
  readonly signal: AbortSignal
}

/** Writes to one partition, one write at a time. */
export interface Lane {
  /** @throws when the load's signal aborts before it is written */
  write(load: Load): Promise<Write>
  /** Resolves when Redis has taken a write since the last one that failed, or since the start. */
  ready(tick: Tick, signal: AbortSignal): Promise<void>
}

export interface LaneOptions {
  readonly app: App
  readonly keys: Keys
  readonly durability: Durability
  /** Shared by the lanes of all partitions. */
  readonly writing: Outage
}

type Waiting = Load & Omit<PromiseWithResolvers<Write>, 'promise'> & { readonly size: Size }

export function openLane(options: LaneOptions): Lane {
  const { app, keys, durability, writing } = options
  const proof = openProof(options)
  const waiting: Waiting[] = []
  let running = false

  async function run(): Promise<void> {
    running = true
    while (waiting.length > 0)
      await writeTogether(
        waiting.splice(
          0,
          countFitting(waiting, ({ size }) => size),
        ),
      )
    running = false
  }

  /** Tries until the loads are written. A load whose signal aborts is left out of the next try. */
  async function writeTogether(loads: readonly Waiting[]): Promise<void> {
    for (let left = loads; left.length > 0; ) {
      const incarnation = durability.incarnation(keys)
      try {
        const received = left.flatMap((load) => load.received)
        await writeMessages(app, keys, received)
        proof.given()
        for (const { resolve } of left) resolve({ keys, incarnation })
        return
      } catch (error) {
        for (const load of left) if (load.signal.aborted) load.reject(error)
        left = left.filter(({ signal }) => !signal.aborted)
        if (left.length === 0) return
        proof.lost()
        writing.failed(error, keys)
        for (const { tick } of left) tick() // progress: Redis answers, and will have room again
        await pause(AbortSignal.any(left.map(({ signal }) => signal)))
      }
    }
  }

  return {
    write: (load) => {
      const { promise, ...settle } = Promise.withResolvers<Write>()
      waiting.push({ ...load, ...settle, size: sizeOf(load.received) })
      if (!running) void run()
      return promise
    },
    ready: proof.await,
  }
}

/** Waits before the next try. A load whose signal aborts meanwhile ends the wait for all, and is left out of that try. */
function pause(signal: AbortSignal): Promise<void> {
  return sleep(retryDelayMs, undefined, { signal }).catch(() => {})
}

/** Remembers whether Redis takes writes. However many pollers wait for the proof, one try is made at a time. */
function openProof({ app, keys, writing }: LaneOptions) {
  let proved = false
  let trying: Promise<unknown> | undefined
  function given(): void {
    proved = true
    writing.worked(keys)
  }
  return {
    given,
    lost: (): void => {
      proved = false
    },
    await: async (tick: Tick, signal: AbortSignal): Promise<void> => {
      while (!proved) {
        signal.throwIfAborted()
        try {
          trying ??= proveWrite(app.redis, keys, app.instance).finally(() => {
            trying = undefined
          })
          await trying
          given()
        } catch (error) {
          writing.failed(error, keys)
          tick() // progress: Redis answers
          await sleep(retryDelayMs, undefined, { signal })
        }
      }
    },
  }
}
