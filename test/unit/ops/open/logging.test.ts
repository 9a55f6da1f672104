import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import type { OpenLog } from '../../../../src/ops/open/log.ts'
import { openLogged } from '../../../../src/ops/open/logging.ts'

/** Collects what is logged. */
function collecting(): { readonly lines: Record<string, unknown>[]; readonly open: OpenLog } {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line))
  return { lines, open: () => ({ write, dropped: () => 0, [Symbol.dispose]: () => {} }) }
}

test('a duration in a log line has at most three digits, or whole milliseconds', () => {
  const { lines, open } = collecting()
  using log = openLogged(readConfig({ LOG_LEVEL: 'debug' }), open)
  const heard: number[] = []
  log.telemetry.on('read', ({ durationMs }) => void heard.push(durationMs))
  const durations = [18.842775999997684, 0.000123456, 999.4, 12_345.678]
  for (const durationMs of durations) log.telemetry.emit('read', { stage: 'validate', entries: 1, durationMs })
  expect(lines.map(({ durationMs }) => durationMs)).toEqual([18.8, 0.000123, 999, 12_346])
  expect(heard).toEqual(durations)
})
