import type { App } from '../../app.ts'
import { type FormatDifference, formatDifferences } from '../manifest/order-format.ts'
import { type Finding, warning } from './finding.ts'

/** Checks that the roles that run read orders by the same settings as this process. Returns nothing if they do. */
export async function orderFormat(app: App): Promise<Finding[]> {
  return (await formatDifferences(app)).map(judgeDifference)
}

export function judgeDifference({ role, setting, there, here }: FormatDifference): Finding {
  const shown = (value: string | undefined): string => (value === undefined ? `no ${setting}` : `${setting}=${value}`)
  const found = `${role} was started with ${shown(there)}, this process has ${shown(here)}`
  const page = setting === 'CURRENCY' ? 'currency' : 'map-your-fields'
  return warning('order format', found, `Start every process with the same ${setting}: docs/how-to/${page}.md.`)
}
