import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestHandler, Response } from 'express'
import type { App } from '../app.ts'
import { messageOf } from '../errors.ts'
import { failure } from './failure.ts'
import { problemOf, sendProblem } from './problem.ts'
import { openSnapshots } from './snapshot.ts'

/** Snapshots for any number of viewers, read once for all of them, and only while there are some. */
export interface Live {
  /** The newest snapshot as JSON, at most a second old. @throws what Redis says when it does not answer */
  snapshot(): Promise<string>
  /** Server-sent events: a `snapshot` each second, or `away` with a `detail` while Redis does not answer. */
  readonly events: RequestHandler
  /** Ends every viewer's stream. */
  end(): void
}

const everyMs = 1_000
/** Each costs a connection and some 10 KB a second. */
export const mostViewers = 200
/** Who has taken nothing for so long does not come back by itself: its connection is cut. */
const stuckMs = 30_000
/** How long a browser waits before it comes again. */
const retryMs = 1_000

interface Viewer {
  readonly response: Response
  tookAt: number
}

export function openLive(app: Pick<App, 'config' | 'redis' | 'partitions' | 'control' | 'telemetry'>): Live {
  const read = openSnapshots(app)
  const viewers = new Set<Viewer>()
  const stop = new AbortController()
  let newest = { json: '', event: '', at: Number.NEGATIVE_INFINITY }
  let reading: Promise<typeof newest> | undefined
  let following = false
  let failing = false

  async function readNew(): Promise<typeof newest> {
    const json = JSON.stringify(await read())
    newest = { json, event: eventText('snapshot', json), at: performance.now() }
    return newest
  }

  function next(): Promise<typeof newest> {
    reading ??= readNew().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function nextEvent(): Promise<string> {
    try {
      const { event } = await next()
      failing = false
      return event
    } catch (error) {
      const { detail } = failure(error)
      if (!failing) app.telemetry.emit('requestFailed', { method: 'GET', route: '/live', error: messageOf(error) })
      failing = true
      return eventText('away', JSON.stringify({ detail }))
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
    snapshot: async () => (performance.now() - newest.at < everyMs ? newest : await next()).json,
    events: (request, response) => {
      if (request.method === 'HEAD') return response.writeHead(200, eventHeaders).end()
      if (viewers.size >= mostViewers || stop.signal.aborted) {
        return sendProblem(response, problemOf(503, `${mostViewers} viewers look already: close one, or try later.`))
      }
      response.writeHead(200, eventHeaders)
      response.write(`retry: ${retryMs}\n\n`)
      const viewer = { response, tookAt: performance.now() }
      if (performance.now() - newest.at < everyMs) tell(viewer, newest.event)
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

const eventText = (event: string, data: string): string => `event: ${event}\ndata: ${data}\n\n`

/** Who has not taken what it was sent before goes without this one: the next one is whole again, and nothing piles up. */
function tell(viewer: Viewer, event: string): void {
  const { response } = viewer
  if (!response.writableNeedDrain) {
    response.write(event)
    viewer.tookAt = performance.now()
  } else if (performance.now() - viewer.tookAt > stuckMs) response.destroy()
}
