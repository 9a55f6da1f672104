import { countText } from '../../../reads/count-text.ts'

/** The speed of work whose total is known. */
export interface Pace {
  /** Returns the rate and the time left, as far as they are known, such as `420/s` and `21 s left`. */
  texts(done: number, atMs: number): string[]
}

interface Sample {
  readonly atMs: number
  readonly done: number
}

/** The rate is the average of this time: it follows a change, and a single slow batch does not move it much. */
const windowMs = 10_000
/** Before that a rate is a guess. */
const minMs = 1_000
/** Samples closer to each other than this are one. */
const sampleMs = 500

/** Follows work that begins now. */
export function openPace(total: number, startMs: number): Pace {
  let samples: Sample[] = [{ atMs: startMs, done: 0 }]
  return {
    texts(done, atMs) {
      const beforeWindow = samples.findLastIndex((sample) => sample.atMs <= atMs - windowMs)
      if (beforeWindow > 0) samples = samples.slice(beforeWindow)
      const [first = { atMs: startMs, done: 0 }] = done >= total ? [{ atMs: startMs, done: 0 }] : samples
      if (atMs - (samples.at(-1)?.atMs ?? startMs) >= sampleMs) samples.push({ atMs, done })
      const passedMs = atMs - first.atMs
      if (passedMs < minMs) return []
      const perSecond = ((done - first.done) / passedMs) * 1_000
      const rate = `${countText(Math.round(perSecond))}/s`
      return done >= total || perSecond === 0 ? [rate] : [rate, `${leftText((total - done) / perSecond)} left`]
    },
  }
}

const [minute, hour] = [60, 3_600]

/** Formats a time in the largest unit of which it has two: `90 s`, `3 min`, `5 h`. */
function leftText(seconds: number): string {
  if (seconds < 2 * minute) return `${Math.ceil(seconds)} s`
  if (seconds < 2 * hour) return `${Math.round(seconds / minute)} min`
  return `${countText(Math.round(seconds / hour))} h`
}
