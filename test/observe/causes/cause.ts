import type { World } from '../world.ts'

/** An incident that makes alerts fire. */
export interface Cause {
  readonly title: string
  readonly fires: readonly string[]
  /** Brings the incident about. @returns what ends it, as the runbook says */
  readonly begin: (world: World) => Promise<() => Promise<void>>
}

/** More than the 10,000 at which alerts on a backlog begin. */
export const backlog = 10_500

/** Does something again and again. @returns what ends it */
export function repeated(act: () => Promise<unknown>): () => Promise<void> {
  const ending = new AbortController()
  const repeating = (async () => {
    while (!ending.signal.aborted) await act()
  })()
  return async () => {
    ending.abort()
    await repeating
  }
}
