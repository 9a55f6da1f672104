import { setTimeout as sleep } from 'node:timers/promises'
import type { App, PartitionScope } from '../../app.ts'
import { isMissingStream } from '../../redis/errors.ts'
import { compareIds, minId } from '../../stream-id.ts'
import { groupNamed } from '../runner/groups.ts'
import { archive } from './archive.ts'

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'pipeline'>

const lookEveryMs = 100

/**
 * Cuts the segments of all partitions, and resolves when all that was admitted or corrected before the call is in segments that
 * count. A process of the stage does the work: where none runs, or the archive is away, this waits.
 * @param onWaiting called now and then with the number of partitions that are not done; may throw to end it
 * @throws the reason of the signal
 */
export async function flushArchive(
  app: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  signal?: AbortSignal,
  onWaiting: (partitions: number) => void | Promise<void> = () => {},
): Promise<void> {
  const { redis, pipeline } = app
  let left = await Promise.all(app.partitions.map(async (keys) => ask({ redis, keys, pipeline })))
  for (;;) {
    const done = await Promise.all(left.map(isFlushed))
    left = left.filter((_, at) => !done[at])
    if (left.length === 0) return
    await onWaiting(left.length)
    await sleep(lookEveryMs, undefined, signal && { signal })
  }
}

/** Asks for a cut of all entries that there are, without waiting for it. Does nothing without an archive. */
export async function askFlush({
  redis,
  partitions,
  pipeline,
}: Pick<App, 'redis' | 'partitions' | 'pipeline'>): Promise<void> {
  if (!pipeline.stage(archive.name)) return
  await Promise.all(partitions.map((keys) => ask({ redis, keys, pipeline })))
}

interface Asked extends Scope {
  readonly upTo: string
}

/** Asks for a cut of all entries that there are. The key stays: once they are in segments it asks for nothing. */
async function ask(scope: Scope): Promise<Asked> {
  const { redis, keys } = scope
  const upTo = await lastId(scope)
  if (upTo !== minId) await redis.set(keys.archiveFlush, upTo)
  return { ...scope, upTo }
}

const streamOf = ({ keys, pipeline }: Scope): string => keys.stream(pipeline.stage(archive.name)?.from ?? '')

async function lastId(scope: Scope): Promise<string> {
  try {
    const info = (await scope.redis.xinfo('STREAM', streamOf(scope))) as unknown[]
    return String(info[info.indexOf('last-generated-id') + 1])
  } catch (error) {
    if (isMissingStream(error)) return minId
    throw error
  }
}

/** Returns whether the group has acknowledged all entries up to the one asked for. */
async function isFlushed({ upTo, ...scope }: Asked): Promise<boolean> {
  if (upTo === minId) return true
  const stream = streamOf(scope)
  const group = groupNamed(await scope.redis.xinfo('GROUPS', stream), archive.name)
  if (!group || compareIds(String(group['last-delivered-id']), upTo) < 0) return false
  const [pending, oldest] = (await scope.redis.xpending(stream, archive.name)) as [number, string | null]
  return pending === 0 || oldest === null || compareIds(oldest, upTo) > 0
}
