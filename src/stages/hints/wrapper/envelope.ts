import { type Json, parse } from '../reading.ts'
import { type FoundOrder, findOrder } from './find.ts'
import { awsShapes } from './shapes/aws.ts'
import { brokerShapes } from './shapes/brokers.ts'
import { jobShapes } from './shapes/job-libraries.ts'
import { webShapes } from './shapes/web.ts'

/** All known wrappers. The first that fits is named, so the order matters. */
const shapes = [...awsShapes, ...brokerShapes, ...jobShapes, ...webShapes]

/** Names the wrapper in a JSON text. */
export function nameOfShape(json: string): string | undefined {
  const value = parse(json)
  return shapes.find(({ is }) => is(value))?.what
}

/** Names the wrapper around an order, and where in it the order is. */
export function shapeHint(value: Json): string | undefined {
  const shape = shapes.find(({ is }) => is(value))
  if (!shape) return undefined
  const { what, advice, isEmpty } = shape
  if (isEmpty) return `The body is ${what}, which holds no order: ${advice ?? 'send the order itself as the body'}`
  const found = findOrder(value)
  // A list of lists is shown by its name alone.
  if (!found || /^\[\]/.test(found.path))
    return `The body is ${what}, not a plain order: ${advice ?? 'send the order itself as the body'}`
  return `The body is ${what}, and ${placeText(found)}: ${advice ?? adviceFor(found)}`
}

/** Finds an order in a wrapper that has no name here. */
export function wrapperHint(value: Json): string | undefined {
  const found = findOrder(value)
  if (!found) return undefined
  const place = placeText(found)
  return `${place[0]?.toUpperCase()}${place.slice(1)}: ${adviceFor(found)}`
}

function placeText({ path, as, count }: FoundOrder): string {
  const how = { object: '', text: ' as JSON text', base64: ' as JSON in base64' }[as]
  const shown = path.length > maxPath ? `…${path.slice(-maxPath)}` : path
  if (count !== 1)
    return `${count === undefined ? '' : `${count} `}orders are in the list \`${shown.replace(/\[\]$/, '')}\`${how}`
  if (/^[^.]+\[\]$/.test(path)) return `the order is in the list \`${shown.slice(0, -2)}\`${how}`
  return `the order is within \`${shown}\`${how}`
}

/** Of a longer path only the end is shown. */
const maxPath = 60

/** Advice about several orders in a body. */
export const eachAlone = 'send each order as a message of its own'
/** The same for a body that the bridge can take apart. */
export const orTakeApart = `${eachAlone}, or set ORDERS_PER_BODY=many`

function adviceFor({ as, count, path }: FoundOrder): string {
  if (count !== 1) return path === 'orders[]' && as === 'object' ? orTakeApart : eachAlone
  const what = { object: 'that object itself', text: 'that text itself', base64: 'what it decodes to' }[as]
  return `send ${what} as the body`
}
