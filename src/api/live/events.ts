import { setTimeout as sleep } from 'node:timers/promises'
import type { Request, RequestHandler } from 'express'
import type { App } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import { failure } from '../http/failure.ts'
import { problemOf, sendProblem } from '../http/problem.ts'
import { openSnapshots, type Snapshot } from './snapshot.ts'
import { openViewers, type Shown } from './viewers.ts'

/** Serves snapshots to any number of viewers. Each is read once for all of them, and only while there are viewers. */
export interface Live {
  /**
   * Returns the newest snapshot as JSON, at most a second old.
   * @param whole with the names of operators
   * @throws the error of Redis when it does not answer
   */
  snapshot(whole: boolean): Promise<string>
  /** Server-sent events: a `snapshot` each second, or `away` with `detail` and `since` while Redis does not answer. */
  readonly events: RequestHandler
  /** Ends every viewer's stream. */
  end(): void
}

const everyMs = 1_000
/** How long a browser waits before it reconnects. */
const retryMs = 1_000

type Scope = Pick<App, 'config' | 'format' | 'redis' | 'pipeline' | 'partitions' | 'control' | 'telemetry' | 'now'>

/** @param seesNames returns true if a viewer may see the names of operators */
export function openLive(app: Scope, seesNames: (request: Request) => boolean): Live {
  const newest = openNewest(app)
  const viewers = openViewers()
  const stop = new AbortController()
  const nextEvent = eventReader(app, newest)
  let following = false

  async function follow(): Promise<void> {
    if (following) return
    following = true
    while (viewers.count() > 0) {
      viewers.send(await nextEvent())
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => {})
    }
    following = false
  }

  return {
    snapshot: async (whole) => {
      const json = newest.known() ?? (await newest.read())
      return whole ? json.whole : json.nameless
    },
    events: (request, response) => {
      if (request.method === 'HEAD') return response.writeHead(200, eventHeaders).end()
      const refused = stop.signal.aborted ? problemOf(503, 'This process is stopping.') : viewers.refusalOf(request)
      if (refused) return sendProblem(response, refused)
      response.writeHead(200, eventHeaders)
      response.write(`retry: ${retryMs}\n\n`)
      const viewer = viewers.add(response, request, seesNames(request))
      const known = newest.known()
      if (known) viewers.send(snapshotEvents(known), viewer)
      void follow()
    },
    end: () => {
      stop.abort()
      viewers.end()
    },
  }
}

interface Newest {
  /** Returns the newest snapshot as JSON, undefined if it is older than a second. */
  known(): Shown | undefined
  /** Reads a new one, once for all who call meanwhile. */
  read(): Promise<Shown>
}

function openNewest(app: Scope): Newest {
  const read = openSnapshots(app)
  let newest: { json: Shown; at: number } | undefined
  let reading: Promise<Shown> | undefined
  const readNew = async (): Promise<Shown> => {
    const snapshot = await read()
    const json = { whole: JSON.stringify(snapshot), nameless: JSON.stringify(withoutNames(snapshot)) }
    newest = { json, at: performance.now() }
    return json
  }
  return {
    known: () => (newest && performance.now() - newest.at < everyMs ? newest.json : undefined),
    read: () => {
      reading ??= readNew().finally(() => {
        reading = undefined
      })
      return reading
    },
  }
}

/** Returns a reader of the next event. It reports once that there is no snapshot, unless Redis is away: that is reported. */
function eventReader({ telemetry }: Scope, newest: Newest): () => Promise<Shown> {
  let failing = false
  let since: string | undefined
  return async () => {
    try {
      const json = await newest.read()
      if (failing) telemetry.emit('readingBack', { reading: 'snapshot' })
      failing = false
      since = undefined
      return snapshotEvents(json)
    } catch (error) {
      const { status, detail } = failure(error)
      if (!failing && status !== 503) {
        telemetry.emit('readingFailed', { reading: 'snapshot', error: messageOf(error) })
        failing = true
      }
      since ??= new Date().toISOString()
      const event = eventText('away', JSON.stringify({ detail, since }))
      return { whole: event, nameless: event }
    }
  }
}

/** Keeps caches and proxies from holding events back. */
const eventHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

const snapshotEvents = ({ whole, nameless }: Shown): Shown => ({
  whole: eventText('snapshot', whole),
  nameless: eventText('snapshot', nameless),
})

function withoutNames(snapshot: Snapshot): Snapshot {
  const hops = snapshot.hops.map(({ paused, ...hop }) => {
    return { ...hop, paused: paused && { by: 'an operator', ...(paused.ts && { ts: paused.ts }) } }
  })
  return { ...snapshot, hops }
}

const eventText = (event: string, data: string): string => `event: ${event}\ndata: ${data}\n\n`
