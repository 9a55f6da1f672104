import type { Variable } from './variable.ts'
import { variables } from './variables.ts'

/** Returns the Markdown table of all variables. */
export function configTable(): string {
  const rows = Object.values<Variable>(variables).map(({ name, unit, about, unset, schema }) => {
    const fallback = unset ?? `\`${schema.parse(undefined)}\``
    return `| \`${name}\` | ${unit} | ${fallback} | ${about} |`
  })
  return ['| variable | unit | default | |', '|---|---|---|---|', ...rows].join('\n')
}
