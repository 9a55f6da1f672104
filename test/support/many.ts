import { isObject, parseJson } from '../../src/order/json.ts'
import { isOrder, wrap } from './envelopes.ts'

/** Forms of a body that holds many orders. */
export const bodyForms = ['list', 'lines', 'chain', 'orders'] as const
export type BodyForm = (typeof bodyForms)[number]

/** Joins orders to one body. @param blank blanks of JSON, without a line feed */
export function joined(form: BodyForm, orders: readonly string[], blank = ''): string {
  const spaced = orders.map((order) => `${blank}${order}${blank}`)
  if (form === 'lines') return `${spaced.join('\r\n')}\n`
  if (form === 'chain') return spaced.join('')
  return form === 'list' ? `[${spaced.join(',')}]` : `{"count":${orders.length},"orders":${blank}[${spaced.join(',')}]}`
}

/**
 * Packs bodies of single orders into bodies of many, of 1 to 300 orders in all forms, some in envelopes and some orders of
 * them too. What breaks a form, as a cut order breaks a list, goes into one that it does not break.
 */
export function packed(bodies: readonly string[]): string[] {
  const objects = bodies.filter((body) => isObject(parseJson(body)))
  const values = bodies.filter((body) => parseJson(body) !== undefined && !objects.includes(body))
  const broken = bodies.filter((body) => parseJson(body) === undefined)
  const blank = broken.filter((body) => body.trim() === '')
  const lines = [...broken.filter((body) => body.trim() !== ''), ...values.splice(0, values.length / 2)]
  const messages = [...blank]
  for (let at = 0; objects.length > 0; at++) {
    const form = bodyForms[at % bodyForms.length] ?? 'list'
    const orders = objects.splice(0, sizes[at % sizes.length]).map((order, place) => {
      return (at + place) % 7 === 0 && isOrder(order) ? wrap(place % 2 === 0 ? 'cloudevents' : 'sns', order) : order
    })
    const room = orders.length - 1
    const more = form === 'lines' ? lines : form === 'chain' ? [] : values
    orders.push(...more.splice(0, room))
    // A text that begins like an object and cannot be read may end a chain.
    const tail = form === 'chain' && room > 0 ? lines.findIndex((line) => line.startsWith('{')) : -1
    if (tail !== -1) orders.push(...lines.splice(tail, 1))
    messages.push(around(joined(form, orders), at, form))
  }
  const isList = (body: string): boolean => Array.isArray(parseJson(body)) // alone it would be a body of many
  return [...messages, ...[...lines, ...values].map((one) => (isList(one) ? joined('list', [one]) : one))]
}

const sizes = [1, 300, 2, 17, 100, 3, 250, 41]

/** Puts every third body into an envelope that can hold its form. */
function around(text: string, at: number, form: BodyForm): string {
  if (at % 3 !== 0 || !/user_id|order_id|order_value/.test(text)) return text
  if (form === 'orders') return wrap('eventbridge', text)
  return wrap((['sns', 'gzip', 'cloudevents', 'base64'] as const)[at % 4] ?? 'sns', text)
}
