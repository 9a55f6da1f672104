import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventTable } from '../../../src/events/table.ts'

const source = readFileSync(new URL('../../../src/events/fields.ts', import.meta.url), 'utf8')
const page = readFileSync(new URL('../../../docs/reference/events.md', import.meta.url), 'utf8')

/** Fields that have numbers, with their event. `number` also stands in a record or a list of numbers, and in a `Tally`. */
function numbers(): (readonly [event: string, field: string])[] {
  const events = source.slice(source.indexOf('export interface Events'))
  return Object.keys(eventTable).flatMap((event) => {
    const [, fields = ''] = new RegExp(`^  ${event}: \\{([^}]*)\\}`, 'm').exec(events) ?? []
    return [...fields.matchAll(/(\w+)\??: ([^;\n]+)/g)].flatMap(([, field = '', type = '']) =>
      /\b(number|Tally)\b/.test(type) ? [[event, field] as const] : [],
    )
  })
}

const unit = /(Ms|[sS]econds|Percent|Bytes)$/
/** They number things, and count none. */
const numbered = ['partition', 'partitions', 'status', 'exitCode', 'attempt']
/** They count orders or what their name says. */
const counted = [
  ...['messages', 'redelivered', 'orders', 'entries', 'spans', 'lines', 'failures', 'attempts', 'planned', 'held'],
  ...['taken', 'waiting', 'passed', 'duplicates', 'rejected'],
  ...['sent', 'admitted', 'corrected', 'duplicate', 'conflict', 'returned'],
]

test('the unit of each number of an event is in its name, or in the description of the event', () => {
  const all = numbers()
  expect(all).toContainEqual(['committed', 'durationMs'])
  const plain = all.filter(([event, field]) => {
    const [, about] = eventTable[event as keyof typeof eventTable]
    return !unit.test(field) && !about.includes(`\`${field}\``)
  })
  const unknown = plain.filter(([, field]) => !numbered.includes(field) && !counted.includes(field))
  expect(unknown, 'end its name in its unit, or describe it in src/events/table.ts').toEqual([])
  const words = new Set(all.map(([, field]) => field))
  expect([...numbered, ...counted].filter((word) => !words.has(word))).toEqual([])
})

test('the page of events lists each event once, with its fields', () => {
  for (const event of Object.keys(eventTable)) {
    const rows = page.split('\n').filter((line) => line.startsWith(`| \`${event}\` |`))
    expect(rows, event).toHaveLength(1)
  }
  const fieldsOf = (event: string): string | undefined =>
    new RegExp(`^\\| \`${event}\` \\|.*\\| ([^|]*) \\|$`, 'm').exec(page)?.[1]
  expect(fieldsOf('redriven')).toBe(fieldsOf('replayed'))
  expect(fieldsOf('replayed')).toContain('`admitted`')
})
