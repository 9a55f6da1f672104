import type { BenchOrder } from '../orders.ts'

/** One way to process orders, in its own process. */
export interface Contender {
  /** Puts the orders where its first stage reads them. */
  fill(): Promise<void>
  /** Processes them: calls `begun` when it begins, and resolves when all are ranked. */
  work(begun: () => void): Promise<void>
  close(): Promise<void>
}

export interface Setting {
  readonly url: string
  readonly orders: readonly BenchOrder[]
  /** The setting that the contender varies, such as concurrency or loops. */
  readonly level: number
}

export type OpenContender = (setting: Setting) => Promise<Contender>

/** Resolves when it has been called `count` times. */
export function countdown(count: number): { readonly done: Promise<void>; tick(by?: number): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = count
  const tick = (by = 1): void => {
    left -= by
    if (left <= 0) resolve()
  }
  return { done: promise, tick }
}

/** Runs `each` on all items, up to so many at once. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  each: (item: T) => Promise<unknown>,
): Promise<void> {
  const rest = items.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of rest) await each(item)
    }),
  )
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size))
}
