import type { Request, Response } from 'express'
import { type Problem, problemOf } from '../http/problem.ts'

/** Each costs a connection and some 10 KB a second. */
export const maxViewers = 200
/** Half, so that one client does not shut out the others. Clients behind one proxy count as one. */
export const maxViewersPerClient = 100
/** A viewer that has read nothing for this long does not recover by itself: its connection is cut. */
const stuckMs = 30_000

/** An event in both forms: whole, and without the names of operators. */
export interface Shown {
  readonly whole: string
  readonly nameless: string
}

export interface Viewer {
  readonly response: Response
  readonly client: string
  /** True if it may see the names of operators. */
  readonly whole: boolean
  readAt: number
}

export interface Viewers {
  readonly count: () => number
  /** Returns why the client of a request cannot be added; undefined if it can. */
  refusalOf(request: Request): Problem | undefined
  add(response: Response, request: Request, whole: boolean): Viewer
  /** Sends an event to one viewer, or to all. */
  send(event: Shown, to?: Viewer): void
  /** Ends every viewer's stream. */
  end(): void
}

export function openViewers(): Viewers {
  const viewers = new Set<Viewer>()
  const clientOf = (request: Request): string => request.socket.remoteAddress ?? ''
  return {
    count: () => viewers.size,
    refusalOf: (request) => {
      if (viewers.size >= maxViewers)
        return problemOf(503, `All ${maxViewers} places for viewers are taken: close one, or try again later.`)
      if ([...viewers].filter(({ client }) => client === clientOf(request)).length < maxViewersPerClient)
        return undefined
      const many = `All ${maxViewersPerClient} places for viewers at this address are taken: close one, or try again later.`
      return problemOf(429, many)
    },
    add: (response, request, whole) => {
      const viewer = { response, client: clientOf(request), whole, readAt: performance.now() }
      viewers.add(viewer)
      response.once('close', () => viewers.delete(viewer))
      return viewer
    },
    send: (event, to) => {
      for (const viewer of to ? [to] : viewers) sendTo(viewer, event)
    },
    end: () => {
      for (const { response } of viewers) response.end()
      viewers.clear()
    },
  }
}

/** Skips a viewer that has not read what it was sent before. The next snapshot is complete anyway, and nothing piles up. */
function sendTo(viewer: Viewer, event: Shown): void {
  const { response, whole } = viewer
  if (!response.writableNeedDrain) {
    response.write(whole ? event.whole : event.nameless)
    viewer.readAt = performance.now()
  } else if (performance.now() - viewer.readAt > stuckMs) response.destroy()
}
