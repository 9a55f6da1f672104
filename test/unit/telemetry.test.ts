import { pino } from 'pino'
import { expect, test } from 'vitest'
import { openTelemetry } from '../../src/telemetry.ts'

test('a listener that fails breaks neither the caller nor the other listeners, and is logged once', () => {
  const lines: Record<string, unknown>[] = []
  const telemetry = openTelemetry(pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) }))
  const heard: number[] = []
  telemetry.on('renewed', () => {
    throw new Error('no such counter')
  })
  telemetry.listen((event) => {
    if (event === 'renewed') throw new Error('nor that one')
  })
  telemetry.on('renewed', ({ messages }) => void heard.push(messages))
  for (const messages of [1, 2]) telemetry.emit('renewed', { messages })
  expect(heard).toEqual([1, 2])
  expect(lines.map(({ msg, listensTo, error }) => ({ msg, listensTo, error }))).toEqual([
    { msg: 'listenerFailed', listensTo: 'renewed', error: 'no such counter' },
  ])
})

test('a listener to the failures of listeners that fails itself does no harm', () => {
  const telemetry = openTelemetry(pino({ level: 'silent' }))
  telemetry.on('listenerFailed', () => {
    throw new Error('again')
  })
  telemetry.on('deleted', () => {
    throw new Error('first')
  })
  expect(() => telemetry.emit('deleted', { messages: 1 })).not.toThrow()
})
