import { countText } from '../../../reads/count-text.ts'
import { defaultWidth } from '../wrapped.ts'
import { openPace } from './pace.ts'

/** Where progress is shown: standard output. */
export interface Terminal {
  readonly isTTY?: boolean
  /** Its width, if it is a terminal. */
  readonly columns?: number
  write(text: string): unknown
}

export interface Progress {
  show(done: number): void
  end(): void
}

const maxBar = 30
/** Minimum time between two redraws. */
const redrawMs = 100

/**
 * Shows progress with its rate and the time left, as a bar on a terminal, and elsewhere as a plain line at each tenth.
 * @param now a clock in milliseconds
 */
export function progressOn(out: Terminal, label: string, total: number, now = () => performance.now()): Progress {
  const pace = openPace(total, now())
  const line = (done: number): string =>
    [`${label} ${countText(done)} of ${countText(total)}`, ...pace.texts(done, now())].join(' · ')
  return out.isTTY ? bar(out, total, line, now) : lines(out, total, line)
}

function bar(out: Terminal, total: number, line: (done: number) => string, now: () => number): Progress {
  let drawnAt = Number.NEGATIVE_INFINITY
  const draw = (done: number): void => {
    const text = line(done)
    // One column stays free: a terminal may break a line that fills it.
    const width = Math.min(maxBar, Math.max(0, (out.columns || defaultWidth) - text.length - 2))
    const filled = total === 0 ? width : Math.round((done / total) * width)
    const shape = width === 0 ? '' : `${'█'.repeat(filled)}${'░'.repeat(width - filled)} `
    out.write(`\r${shape}${text}\x1b[K`)
  }
  return {
    show: (done) => {
      if (done < total && now() - drawnAt < redrawMs) return
      drawnAt = now()
      draw(done)
    },
    end: () => void out.write('\n'),
  }
}

function lines(out: Terminal, total: number, line: (done: number) => string): Progress {
  let tenths = 0
  return {
    show: (done) => {
      const reached = total === 0 ? 10 : Math.floor((done / total) * 10)
      if (reached > tenths) out.write(`${line(done)}\n`)
      tenths = Math.max(tenths, reached)
    },
    end: () => {},
  }
}
