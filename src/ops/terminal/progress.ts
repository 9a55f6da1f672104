import type { WriteStream } from 'node:tty'

export interface Progress {
  show(done: number): void
  end(): void
}

const width = 30
/** On a terminal a bar redrawn at most so often; elsewhere a plain line at each tenth. */
const redrawMs = 100

export function progressOn(out: WriteStream, label: string, total: number): Progress {
  const line = (done: number): string => `${label} ${done.toLocaleString('en')} of ${total.toLocaleString('en')}`
  return out.isTTY ? bar(out, total, line) : lines(out, total, line)
}

function bar(out: WriteStream, total: number, line: (done: number) => string): Progress {
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
    end: () => out.write('\n'),
  }
}

function lines(out: WriteStream, total: number, line: (done: number) => string): Progress {
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
