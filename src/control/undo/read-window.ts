import type { App } from '../../app.ts'
import { momentText, readMoment } from '../../calendar/moment.ts'
import { redisClock } from '../../redis/clock.ts'
import { readUndo } from './undos.ts'

/** The window of an undo, as an operator gives it. */
export interface GivenWindow {
  readonly from: string
  /** Now, if it is not given. */
  readonly to?: string | undefined
}

export type ReadWindow =
  | { readonly fromMs: number; readonly toMs: number }
  | { readonly field: 'from' | 'to'; readonly message: string }

/**
 * Reads the window of an undo, by Redis' clock as in the ids of entries.
 * @param name of the undo: without an end in `given`, one that has begun, or has ended, has its own
 */
export async function windowNow(
  scope: Pick<App, 'redis' | 'control' | 'format'>,
  { from, to }: GivenWindow,
  name: string | undefined,
): Promise<ReadWindow> {
  const known = to === undefined && name !== undefined ? await readUndo(scope, name) : undefined
  const end = to ?? (known?.state === 'undoing' || known?.state === 'undone' ? known.to : undefined)
  const now = await redisClock(scope.redis).now()
  return readWindow({ from, to: end }, scope.format.calendar.settings.zone, now.getTime())
}

/** Reads the window of an undo. Orders that are still to come are in none, so it ends by now. */
export function readWindow({ from, to }: GivenWindow, zone: string, nowMs: number): ReadWindow {
  const fromMs = readMoment(from, zone, nowMs)
  const toMs = to === undefined ? nowMs : readMoment(to, zone, nowMs)
  const form = `must be a time such as ${momentText(nowMs - (nowMs % 1_000), zone)}, or hh:mm of today in ${zone}`
  if (fromMs === undefined) return { field: 'from', message: form }
  if (toMs === undefined) return { field: 'to', message: form }
  if (toMs <= fromMs && to === undefined)
    return { field: 'from', message: `must be before now, ${momentText(nowMs, zone)}` }
  if (toMs <= fromMs) return { field: 'to', message: 'must be after the begin' }
  if (toMs > nowMs) return { field: 'to', message: `must not be after now, ${momentText(nowMs, zone)}` }
  return { fromMs, toMs }
}
