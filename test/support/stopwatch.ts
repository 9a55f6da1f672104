const stepMs = 20

/** Measures how long something takes in this process. A stall counts as one step, as in running-timeout.ts. */
export function stopwatch(): { ms(): number } & Disposable {
  let steps = 0
  const timer = setInterval(() => void steps++, stepMs)
  return { ms: () => steps * stepMs, [Symbol.dispose]: () => clearInterval(timer) }
}
