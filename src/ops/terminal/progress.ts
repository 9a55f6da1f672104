import { countText } from '../../reads/count-text.ts'

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

const width = 30
/** Minimum time between two redraws. */
const redrawMs = 100

/** Shows progress as a bar on a terminal, and elsewhere as a plain line at each tenth. */
export function progressOn(out: Terminal, label: string, total: number): Progress {
  const line = (done: number): string => `${label} ${countText(done)} of ${countText(total)}`
  return out.isTTY ? bar(out, total, line) : lines(out, total, line)
}

function bar(out: Terminal, total: number, line: (done: number) => string): Progress {
  let drawnAt = 0
  const draw = (done: number): void => {
    const filled = total === 0 ? width : Math.round((done / total) * width)
    out.write(`\r${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${line(done)}\x1b[K`)
  }
  return {
    show: (done) => {
      if (done < total && performance.now() - drawnAt < redrawMs) return
      drawnAt = performance.now()
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
