import { expect, test } from 'vitest'
import { progressOn } from '../../../../../src/ops/terminal/interactive/progress.ts'

/** A terminal or a pipe that keeps what is written to it, with a clock that a test moves. */
function screen(columns?: number) {
  const written: string[] = []
  const clock = { ms: 0 }
  const out = { isTTY: columns !== undefined, columns: columns ?? 0, write: (text: string) => written.push(text) }
  const last = (): string => (written.at(-1) ?? '').replace(/^\r[█░]* ?/, '').replace('\x1b[K', '')
  return { out, written, last, clock, now: () => clock.ms }
}

test('a terminal shows the rate of the last seconds and the time left', () => {
  const { out, last, clock, now } = screen(80)
  const progress = progressOn(out, 'judged', 10_231, now)
  progress.show(5)
  expect(last()).toBe('judged 5 of 10,231') // a rate would be a guess
  clock.ms = 3_119
  progress.show(1_310)
  expect(last()).toBe('judged 1,310 of 10,231 · 420/s · 22 s left')
  for (let second = 4; second <= 14; second++) {
    clock.ms = second * 1_000
    progress.show(1_310 + second * 10)
  }
  expect(last()).toBe('judged 1,450 of 10,231 · 10/s · 15 min left') // its fast beginning was more than ten seconds ago
})

test('work that stands still has a rate of 0 and no time left', () => {
  const { out, last, clock, now } = screen(80)
  const progress = progressOn(out, 'judged', 1_000, now)
  for (let second = 0; second <= 20; second++) {
    clock.ms = second * 1_000
    progress.show(100)
  }
  expect(last()).toBe('judged 100 of 1,000 · 0/s')
})

test('the last line has the average rate of the whole work', () => {
  const { out, last, clock, now } = screen(80)
  const progress = progressOn(out, 'sent', 1_000_000_000, now)
  clock.ms = 1_000_000
  progress.show(1_000)
  clock.ms = 2_000_000
  progress.show(1_000_000_000)
  expect(last()).toBe('sent 1,000,000,000 of 1,000,000,000 · 500,000/s')
})

test.each([80, 60, 24])('the bar gives way to the text at %i columns', (columns) => {
  const { out, written, clock, now } = screen(columns)
  const progress = progressOn(out, 'judged', 2_000_000_000, now)
  clock.ms = 5_000
  progress.show(1_234_567_890)
  const [line = ''] = written
  const text = 'judged 1,234,567,890 of 2,000,000,000 · 246,913,578/s · 4 s left'
  expect(line).toContain(text)
  expect(line.replace('\r', '').replace('\x1b[K', '').length).toBeLessThan(Math.max(columns, text.length + 1))
})

test('elsewhere it is a line at each tenth, without escape codes', () => {
  const { out, written, clock, now } = screen()
  const progress = progressOn(out, 'sent', 100, now)
  for (let done = 1; done <= 40; done++) {
    clock.ms += 100
    progress.show(done)
  }
  progress.end()
  expect(written).toEqual([
    'sent 10 of 100 · 10/s · 9 s left\n',
    'sent 20 of 100 · 10/s · 8 s left\n',
    'sent 30 of 100 · 10/s · 7 s left\n',
    'sent 40 of 100 · 10/s · 6 s left\n',
  ])
})
