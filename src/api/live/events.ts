import { setTimeout as sleep } from 'node:timers/promises'
import type { Request, RequestHandler, Response } from 'express'
import type { App } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import { failure } from '../failure.ts'
import { problemOf, sendProblem } from '../http/problem.ts'
import { openSnapshots, type Snapshot } from './snapshot.ts'

/** Snapshots for any number of viewers, read once for all of them, and only while there are some. */
export interface Live {
  /**
   * The newest snapshot as JSON, at most a second old.
   * @param whole with the names of operators
   * @throws what Redis says when it does not answer
   */
  snapshot(whole: boolean): Promise<string>
  /** Server-sent events: a `snapshot` each second, or `away` with a `detail` while Redis does not answer. */
  readonly events: RequestHandler
  /** Ends every viewer's stream. */
  end(): void
}

const everyMs = 1_000
/** Each costs a connection and some 10 KB a second. */
export const mostViewers = 200
/** Half: one client does not shut out the others. Clients behind a proxy count as one. */
export const maxViewersPerClient = 100
/** Who has taken nothing for so long does not come back by itself: its connection is cut. */
const stuckMs = 30_000
/** How long a browser waits before it comes again. */
const retryMs = 1_000

interface Viewer {
  readonly response: Response
  readonly client: string
  readonly whole: boolean
  tookAt: number
}

/** Both ways of showing one snapshot: whole, and without the names of operators. */
interface Shown {
  readonly whole: string
  readonly nameless: string
}

/** @param seesNames whether a viewer may see the names of operators */
export function openLive(
  app: Pick<App, 'config' | 'redis' | 'partitions' | 'control' | 'telemetry'>,
  seesNames: (request: Request) => boolean,
): Live {
  const read = openSnapshots(app)
  const viewers = new Set<Viewer>()
  const stop = new AbortController()
  let newest = { json: { whole: '', nameless: '' }, at: Number.NEGATIVE_INFINITY }
  let reading: Promise<typeof newest> | undefined
  let following = false
  let failing = false

  async function readNew(): Promise<typeof newest> {
    const snapshot = await read()
    const json = { whole: JSON.stringify(snapshot), nameless: JSON.stringify(withoutNames(snapshot)) }
    newest = { json, at: performance.now() }
    return newest
  }

  function next(): Promise<typeof newest> {
    reading ??= readNew().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function nextEvent(): Promise<Shown> {
    try {
      const { json } = await next()
      failing = false
      return snapshotEvents(json)
    } catch (error) {
      const { detail } = failure(error)
      if (!failing) app.telemetry.emit('requestFailed', { method: 'GET', route: '/live', error: messageOf(error) })
      failing = true
      const event = eventText('away', JSON.stringify({ detail }))
      return { whole: event, nameless: event }
    }
  }

  async function follow(): Promise<void> {
    if (following) return
    following = true
    while (viewers.size > 0) {
      const event = await nextEvent()
      for (const viewer of viewers) tell(viewer, event)
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => {})
    }
    following = false
  }

  return {
    snapshot: async (whole) => {
      const { json } = performance.now() - newest.at < everyMs ? newest : await next()
      return whole ? json.whole : json.nameless
    },
    events: (request, response) => {
      if (request.method === 'HEAD') return response.writeHead(200, eventHeaders).end()
      if (viewers.size >= mostViewers || stop.signal.aborted) {
        return sendProblem(response, problemOf(503, `${mostViewers} viewers look already: close one, or try later.`))
      }
      const client = request.socket.remoteAddress ?? ''
      if ([...viewers].filter((viewer) => viewer.client === client).length >= maxViewersPerClient) {
        const many = `${maxViewersPerClient} viewers from this address look already: close one, or try later.`
        return sendProblem(response, problemOf(429, many))
      }
      response.writeHead(200, eventHeaders)
      response.write(`retry: ${retryMs}\n\n`)
      const viewer = { response, client, whole: seesNames(request), tookAt: performance.now() }
      if (performance.now() - newest.at < everyMs) tell(viewer, snapshotEvents(newest.json))
      viewers.add(viewer)
      response.once('close', () => viewers.delete(viewer))
      void follow()
    },
    end: () => {
      stop.abort()
      for (const { response } of viewers) response.end()
      viewers.clear()
    },
  }
}

/** Nobody in between may keep them back. */
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

/** Who has not taken what it was sent before goes without this one: the next one is whole again, and nothing piles up. */
function tell(viewer: Viewer, event: Shown): void {
  const { response, whole } = viewer
  if (!response.writableNeedDrain) {
    response.write(whole ? event.whole : event.nameless)
    viewer.tookAt = performance.now()
  } else if (performance.now() - viewer.tookAt > stuckMs) response.destroy()
}
