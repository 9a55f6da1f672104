import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'

/** Writes log lines to standard error. Never throws and never waits: a log must not stop the work that it reports. */
export interface Log extends Disposable {
  write(line: string): void
  /** Returns the number of lines that could not be written so far. */
  dropped(): number
}

/** Opens a log. */
export type OpenLog = (onBack: (lines: number) => void) => Log

/** Lines kept for a slow reader: about 1,700. */
const maxWaitingBytes = 256 * 1_024
const retryMs = 20
/** Time after a refused write in which lines are dropped without a try: each refused one costs 30 µs, ten times a write. */
const refusedMs = 100
/** Time that the process waits at its end for a reader to take the last lines. */
const lastLinesMs = 2_000

/**
 * Opens the log. If the disk is full or the reader is gone, lines are dropped. If the reader is slow, lines wait, up to
 * `maxWaitingBytes`.
 * @param onBack called when lines are written again, with the number of missing lines
 */
export function openLog(onBack: (lines: number) => void, standardError = openStandardError()): Log {
  let fd = standardError
  const drops = countDrops(onBack)
  const waiting = openWaitingLines((line) => writeSync(fd, line))
  let refusedUntil = 0
  let retry: NodeJS.Timeout | undefined

  /** Writes the waiting lines. @returns true if some still wait because the reader is busy */
  const flush = (): boolean => {
    try {
      waiting.flush()
    } catch (error) {
      if (isBusy(error)) return true
      drops.add(waiting.drop())
      refusedUntil = performance.now() + refusedMs
      return false
    }
    drops.report()
    return false
  }

  const flushLater = (): void => {
    retry ??= setTimeout(() => {
      retry = undefined
      if (flush()) flushLater()
    }, retryMs).unref()
  }

  const flushLast = (): void => waitFor(() => !flush(), lastLinesMs)

  process.once('exit', flushLast)
  return {
    write: (line) => {
      if (performance.now() < refusedUntil) return drops.add(1)
      const bytes = Buffer.from(line)
      if (waiting.bytes() + bytes.length > maxWaitingBytes && flush()) return drops.add(1)
      waiting.push(bytes)
      if (flush()) flushLater()
    },
    dropped: drops.total,
    [Symbol.dispose]: () => {
      process.off('exit', flushLast)
      clearTimeout(retry)
      flushLast()
      if (fd !== 2) closeSync(fd)
      fd = 2 // for lines written after the end
    },
  }
}

/** Counts the lines that were dropped, and reports them once lines are written again. */
function countDrops(onBack: (lines: number) => void) {
  let total = 0
  let unreported = 0
  return {
    total: () => total,
    add: (lines: number): void => {
      total += lines
      unreported += lines
    },
    report: (): void => {
      if (unreported === 0) return
      const lines = unreported
      unreported = 0
      onBack(lines)
      if (unreported > 0) unreported += lines // the report itself was dropped too
    },
  }
}

/**
 * Holds lines until they are written. A partly written line is finished first, so that no two lines run together.
 * @param write writes the beginning of a line and returns the number of bytes; throws when it cannot write
 */
function openWaitingLines(write: (line: Buffer) => number) {
  const lines: Buffer[] = []
  let bytes = 0
  let isBegun = false
  return {
    bytes: () => bytes,
    push: (line: Buffer): void => {
      lines.push(line)
      bytes += line.length
    },
    /** Writes all lines. @throws what `write` throws; the rest waits */
    flush: (): void => {
      for (let [line] = lines; line !== undefined; [line] = lines) {
        const written = write(line)
        bytes -= written
        isBegun = written < line.length
        if (isBegun) lines[0] = line.subarray(written)
        else lines.shift()
      }
    },
    /** Drops the lines of which nothing is written yet. @returns how many */
    drop: (): number => {
      const dropped = lines.splice(isBegun ? 1 : 0).length
      bytes = lines[0]?.length ?? 0
      return dropped
    },
  }
}

/** Blocks the process until the condition holds, for `maxMs` at most: at its exit nothing else can wait. */
function waitFor(condition: () => boolean, maxMs: number): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const end = performance.now() + maxMs
  while (!condition() && performance.now() < end) Atomics.wait(sleeper, 0, 0, retryMs)
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY')
}

/**
 * Opens a file descriptor of standard error that never blocks a write. A pipe or terminal is opened a second time, because
 * every process that shares descriptor 2 can make it blocking.
 */
function openStandardError(): number {
  if (fstatSync(2).isFile()) return 2
  try {
    return openSync('/dev/stderr', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    void process.stderr // A socket, or owned by another user: this getter makes descriptor 2 itself non-blocking.
    return 2
  }
}
