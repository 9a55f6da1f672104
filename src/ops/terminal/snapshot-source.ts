import { setTimeout as sleep } from 'node:timers/promises'
import { openSnapshots, type Snapshot, snapshot } from '../../api/live/snapshot.ts'
import type { Config } from '../../config/config.ts'
import { messageOf } from '../../errors.ts'
import { redactUrl } from '../../redact.ts'
import { explainFailure } from '../../redis/errors.ts'
import { openCommandApp } from '../open/command-app.ts'

/** A snapshot of the pipeline, or a sentence that says why there is none now. */
export type SnapshotSource = { readonly snapshot: Snapshot } | { readonly away: string }

const everyMs = 1_000

/** Reads a snapshot from Redis each second until the signal aborts. */
export async function* redisSource(config: Config, signal: AbortSignal): AsyncGenerator<SnapshotSource, void> {
  await using app = await openCommandApp(config)
  const read = openSnapshots(app)
  for (;;) {
    yield await read().then(
      (snapshot) => ({ snapshot }),
      (error) => ({ away: explainFailure(error)?.text ?? messageOf(error) }),
    )
    await sleep(everyMs, undefined, { signal })
  }
}

/**
 * Yields the snapshots that the API sends to its viewers until the signal aborts. Reconnects after an outage.
 * Not undici's EventSource: its errors carry no reason to show, and it prints a warning about being experimental.
 */
export async function* apiSource(url: string, signal: AbortSignal): AsyncGenerator<SnapshotSource, void> {
  for (;;) {
    try {
      const silent = new AbortController()
      const response = await fetch(new URL('/live', url), { signal: AbortSignal.any([signal, silent.signal]) })
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`)
      yield* sourcesIn(response.body, silent)
    } catch (error) {
      signal.throwIfAborted()
      const why = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error)
      yield { away: `The API at ${redactUrl(url)} does not answer (${why}): make sure that it runs, and check --url.` }
    }
    await sleep(everyMs, undefined, { signal })
  }
}

/** Parses server-sent events, each of which ends with an empty line. */
async function* sourcesIn(
  body: ReadableStream<Uint8Array>,
  silent: AbortController,
): AsyncGenerator<SnapshotSource, void> {
  let text = ''
  const giveUp = (): void => silent.abort(new Error(`no data for ${silentMs / 1_000} s`))
  let timer = setTimeout(giveUp, silentMs)
  try {
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer)
      timer = setTimeout(giveUp, silentMs)
      const events = `${text}${chunk}`.split('\n\n')
      text = events.pop() ?? ''
      yield* events.flatMap(sourceOf)
    }
  } finally {
    clearTimeout(timer)
  }
}

/** The API sends each second. After this silence the connection counts as dead, even if it is still open. */
const silentMs = 5_000

function sourceOf(event: string): SnapshotSource[] {
  const [, kind] = /^event: ([^\n]*)/m.exec(event) ?? []
  const [, data = ''] = /^data: ([^\n]*)/m.exec(event) ?? []
  if (kind === 'snapshot') return [{ snapshot: snapshotIn(data) }]
  return kind === 'away' ? [{ away: JSON.parse(data).detail }] : []
}

/** @throws Error when it is no snapshot: the API may have another version, or be no API of orders. */
function snapshotIn(data: string): Snapshot {
  const { success, data: found } = snapshot.safeParse(JSON.parse(data))
  if (!success) throw new Error('it does not send the snapshots of this version of orders')
  return found
}
