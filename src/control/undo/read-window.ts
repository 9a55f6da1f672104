import { momentText, readMoment } from '../../calendar/moment.ts'

/** The window of an undo, as an operator gives it. */
export interface GivenWindow {
  readonly from: string
  /** Now, if it is not given. */
  readonly to?: string | undefined
}

export type ReadWindow =
  | { readonly fromMs: number; readonly toMs: number }
  | { readonly field: 'from' | 'to'; readonly message: string }

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
