import type { App } from '../../app.ts'
import { readLiving } from '../../control/living.ts'
import { manifestKey } from '../../keys.ts'
import { fieldMapText } from '../../order/field-map.ts'
import type { OrderFormat } from '../../order/format.ts'
import { isObject, parseStandardJson } from '../../order/json.ts'
import { readManifest } from './settings.ts'

/** The settings of an order's format that are not the default, as the environment has them. */
export type FormatText = Readonly<Record<string, string>>

export function formatText({ money, fields, tolerance, checksTotal }: OrderFormat): FormatText {
  return {
    ...(money.code !== undefined && { CURRENCY: money.code }),
    ...(fields && { ORDER_FIELDS: fieldMapText(fields) }),
    ...(tolerance !== 1 && { VALUE_TOLERANCE: String(tolerance) }),
    ...(!checksTotal && { ITEMS_TOTAL: 'off' }),
  }
}

const prefix = 'ORDER_FORMAT '

/** The roles that read orders. */
const readersOf = ({ pipeline }: Pick<App, 'pipeline'>): string[] => ['bridge', pipeline.first.name, 'jobs', 'api']

/** Writes down by which format the roles of this process read orders. A role of the default format has no field. */
export async function announceFormat(app: App, roles: readonly string[]): Promise<void> {
  const own = roles.filter((role) => readersOf(app).includes(role)).map((role) => prefix + role)
  if (own.length === 0) return
  const text = JSON.stringify(formatText(app.format))
  if (text === '{}') await app.redis.hdel(manifestKey, ...own)
  else await app.redis.hset(manifestKey, Object.fromEntries(own.map((field) => [field, text])))
}

/** A role that runs, and was started last with another value of a setting than this process has. */
export interface FormatDifference {
  readonly role: string
  readonly setting: string
  readonly there: string | undefined
  readonly here: string | undefined
}

/** Compares the format of this process with that of the roles that run. */
export async function formatDifferences(app: App): Promise<FormatDifference[]> {
  const [manifest, livingOf] = await Promise.all([readManifest(app.redis), readLiving(app.redis, app.control)])
  const here = formatText(app.format)
  const running = readersOf(app).filter((role) => (livingOf(role).processes ?? 0) > 0)
  return running.flatMap((role) => {
    const there = textIn(manifest[prefix + role])
    const names = [...new Set([...Object.keys(here), ...Object.keys(there)])]
    const differing = names.filter((setting) => here[setting] !== there[setting])
    return differing.map((setting) => ({ role, setting, there: there[setting], here: here[setting] }))
  })
}

function textIn(field: string | undefined): FormatText {
  const value = parseStandardJson(field ?? '{}')
  return isObject(value) ? (value as FormatText) : {}
}
