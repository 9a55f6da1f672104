import { type AuditEntry, parseWhat } from '../../control/audit-log.ts'
import { isObject } from '../../order/json.ts'
import { agoText } from './times.ts'
import { cutTo } from './wrapped.ts'

/** With it the columns before an action leave room for what it was about. */
const maxBy = 16

/**
 * Returns each action of an admin with what it was about: one line, or two of this width on a terminal.
 * @param width undefined where lines may have any length
 */
export function auditLines(entries: readonly AuditEntry[], now: Date, width?: number): string[] {
  if (entries.length === 0) return ['There is no action of an admin yet.']
  const rows = entries.map((entry) => ({ ...entry, ago: agoText(entry.ts, now), name: cutTo(maxBy, entry.by) }))
  const widthOf = (name: 'ago' | 'name' | 'action'): number => Math.max(...rows.map((row) => row[name].length))
  const [agoWidth, nameWidth, actionWidth] = [widthOf('ago'), widthOf('name'), widthOf('action')]
  return rows.flatMap(({ ts, ago, name, action, what, outcome }) => {
    const { target, fields } = partsOf(parseWhat(what))
    const head = [ts, ago.padEnd(agoWidth), name.padEnd(nameWidth), action.padEnd(actionWidth)].join('  ')
    const about = [target, fields, endText(outcome)].filter(Boolean).join('  ')
    const line = `${head}  ${about}`.trimEnd()
    if (width === undefined || line.length <= width) return [line]
    return [head.trimEnd(), cutTo(width, `  ${about}`)]
  })
}

/** Splits what an action was about into the one thing that it changed, and its other fields as compact JSON. */
function partsOf(what: unknown): { target: string; fields: string } {
  if (!isObject(what)) return { target: String(what), fields: '' }
  const { id, component, job, body, ...more } = what
  const target = [id, component, job].filter((one) => typeof one === 'string').join(' ')
  const others = isObject(body) ? { ...body, ...more } : { body, ...more }
  const fields = JSON.stringify(others)
  return { target, fields: fields === '{}' ? '' : fields }
}

const endText = (outcome: string): string => {
  if (/^(done|2\d\d|)$/.test(outcome)) return ''
  return `(${outcome === 'begun' ? 'begun, not ended' : outcome})`
}
