import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'

/** Writes log lines to standard error. It never throws and never waits: a log must not stop the work that it tells of. */
export interface Log extends Disposable {
  write(line: string): void
  /** How many lines could not be written so far. */
  dropped(): number
}

/** What a reader that is a little late may leave in the process, some 1,700 lines. */
const maxWaitingBytes = 256 * 1_024
const retryMs = 20
/** After a refused write lines are dropped for so long without a try: each costs 30 µs, ten times a write. */
const refusedMs = 100
/** What an end waits for a reader to take the last lines. */
const lastLinesMs = 2_000

/**
 * Opens the log. A line that a full disk or a gone reader refuses is dropped; one that a slow reader cannot take
 * yet waits, up to `maxWaitingBytes`. A line that was written in part stays first in line, so that no two run together.
 * @param onBack called when lines are written again, with the number of those that are missing
 */
export function openLog(onBack: (lines: number) => void, standardError = openStandardError()): Log {
  let fd = standardError
  const waiting: Buffer[] = []
  let waitingBytes = 0
  let isBegun = false
  let droppedLines = 0
  let unreported = 0
  let refusedUntil = 0
  let retry: NodeJS.Timeout | undefined

  const drop = (lines: number): void => {
    droppedLines += lines
    unreported += lines
  }

  /** Writes until nothing waits. @returns whether there is more to write as soon as the reader has read */
  const flush = (): boolean => {
    try {
      for (let [line] = waiting; line !== undefined; [line] = waiting) {
        const written = writeSync(fd, line)
        waitingBytes -= written
        isBegun = written < line.length
        if (isBegun) waiting[0] = line.subarray(written)
        else waiting.shift()
      }
    } catch (error) {
      if (isBusy(error)) return true
      drop(waiting.splice(isBegun ? 1 : 0).length)
      waitingBytes = waiting[0]?.length ?? 0
      refusedUntil = performance.now() + refusedMs
      return false
    }
    report()
    return false
  }

  const report = (): void => {
    if (unreported === 0) return
    const lines = unreported
    unreported = 0
    onBack(lines)
    if (unreported > 0) unreported += lines // that line was dropped, too
  }

  const flushLater = (): void => {
    retry ??= setTimeout(() => {
      retry = undefined
      if (flush()) flushLater()
    }, retryMs).unref()
  }

  const flushLast = (): void => {
    const sleeper = new Int32Array(new SharedArrayBuffer(4))
    const end = performance.now() + lastLinesMs
    while (flush() && performance.now() < end) Atomics.wait(sleeper, 0, 0, retryMs)
  }

  process.once('exit', flushLast)
  return {
    write: (line) => {
      if (performance.now() < refusedUntil) return drop(1)
      const bytes = Buffer.from(line)
      if (waitingBytes + bytes.length > maxWaitingBytes && flush()) return drop(1)
      waiting.push(bytes)
      waitingBytes += bytes.length
      if (flush()) flushLater()
    },
    dropped: () => droppedLines,
    [Symbol.dispose]: () => {
      process.off('exit', flushLast)
      clearTimeout(retry)
      flushLast()
      if (fd !== 2) closeSync(fd)
      fd = 2 // for a line that comes later still
    },
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY')
}

/**
 * A file descriptor of standard error on which no write waits for a reader. A pipe or terminal is opened once more: whether
 * descriptor 2 waits is shared with every process that has it, and each of them may change it.
 */
function openStandardError(): number {
  if (fstatSync(2).isFile()) return 2
  try {
    return openSync('/dev/stderr', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    void process.stderr // A socket, or another user's: Node makes descriptor 2 itself one that does not wait.
    return 2
  }
}
