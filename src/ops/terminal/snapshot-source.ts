import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../../api/failure.ts'
import { openSnapshots, type Snapshot, snapshot } from '../../api/live/snapshot.ts'
import type { Config } from '../../config.ts'
import { messageOf } from '../../errors.ts'
import { redactUrl } from '../../redact.ts'
import { withRunning } from '../local/running-system.ts'
import { openApp } from '../open/open-app.ts'

/** How the line stands, or in a sentence why that is not known now. */
export type Look = { readonly snapshot: Snapshot } | { readonly away: string }

const everyMs = 1_000

/** Looks each second at Redis itself, until the signal aborts. */
export async function* looksAtRedis(config: Config, signal: AbortSignal): AsyncGenerator<Look, void> {
  await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
  const read = openSnapshots(app)
  for (;;) {
    yield await read().then(
      (snapshot) => ({ snapshot }),
      (error) => ({ away: failure(error).detail }),
    )
    await sleep(everyMs, undefined, { signal })
  }
}

/** What the API there sends to whoever looks, until the signal aborts; after an outage it goes on by itself. */
export async function* looksAtApi(url: string, signal: AbortSignal): AsyncGenerator<Look, void> {
  for (;;) {
    try {
      const silent = new AbortController()
      const response = await fetch(new URL('/live', url), { signal: AbortSignal.any([signal, silent.signal]) })
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`)
      yield* looksIn(response.body, silent)
    } catch (error) {
      signal.throwIfAborted()
      const why = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error)
      yield { away: `The API at ${redactUrl(url)} does not answer (${why}): see that it runs, and --url.` }
    }
    await sleep(everyMs, undefined, { signal })
  }
}

/** Server-sent events: each ends with an empty line. */
async function* looksIn(body: ReadableStream<Uint8Array>, silent: AbortController): AsyncGenerator<Look, void> {
  let text = ''
  const giveUp = (): void => silent.abort(new Error(`nothing came for ${silentMs / 1_000} s`))
  let timer = setTimeout(giveUp, silentMs)
  try {
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer)
      timer = setTimeout(giveUp, silentMs)
      const events = `${text}${chunk}`.split('\n\n')
      text = events.pop() ?? ''
      yield* events.flatMap(lookOf)
    }
  } finally {
    clearTimeout(timer)
  }
}

/** It sends each second: after so long the connection is dead, though nobody has said so. */
const silentMs = 5_000

function lookOf(event: string): Look[] {
  const [, kind] = /^event: ([^\n]*)/m.exec(event) ?? []
  const [, data = ''] = /^data: ([^\n]*)/m.exec(event) ?? []
  if (kind === 'snapshot') return [{ snapshot: snapshotIn(data) }]
  return kind === 'away' ? [{ away: JSON.parse(data).detail }] : []
}

/** @throws Error where it is none: what is there may be an API of another version, or no API of orders. */
function snapshotIn(data: string): Snapshot {
  const { success, data: found } = snapshot.safeParse(JSON.parse(data))
  if (!success) throw new Error('it sends something else than orders of this version does')
  return found
}
