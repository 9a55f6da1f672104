import { pino } from 'pino'
import type { Config } from '../../config/config.ts'
import { openTelemetry, type Telemetry } from '../../telemetry.ts'
import { escapeJson, printable } from '../terminal/printable.ts'
import type { OpenLog } from './log.ts'

/** Opens telemetry that is logged as JSON, or on a terminal as text. */
export function openLogged(
  { logLevel }: Pick<Config, 'logLevel'>,
  open: OpenLog,
): Disposable & { telemetry: Telemetry } {
  const log = open((lines) => telemetry.emit('logBack', { lines }))
  const shown = process.stderr.isTTY ? (line: string): string => printable(forPeople(line)) : escapeJson
  const write = (line: string): void => log.write(`${shown(line.trimEnd())}\n`)
  const options = { level: logLevel, base: { pid: process.pid }, serializers: { durationMs: rounded } }
  const telemetry = openTelemetry(pino(options, { write }), log.dropped)
  return { telemetry, [Symbol.dispose]: () => log[Symbol.dispose]() }
}

/** Rounds to three digits, and from a second on to a millisecond. */
const rounded = (ms: number): number => (ms < 1_000 ? Number(ms.toPrecision(3)) : Math.round(ms))

/** Formats a line for a person at a terminal: time, event and fields. */
function forPeople(line: string): string {
  const { level: _, time, pid: __, msg, ...fields } = JSON.parse(line)
  const text = Object.entries(fields).map(([name, value]) => `${name}: ${textOf(value)}`)
  return `${new Date(time).toLocaleTimeString('en-GB')} ${msg}${text.length > 0 ? ` (${text.join(', ')})` : ''}`
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(' ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
