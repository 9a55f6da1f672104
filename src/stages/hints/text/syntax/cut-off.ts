import { quote, visible } from '../../quote.ts'
import { placeIn } from '../place.ts'
import type { Found } from './found.ts'

/** Describes text that ends too early. Of the open brackets only the last is named. */
export function endText(found: Found): string {
  const { body, opened, token, of } = found
  if (token !== '') return `The JSON ends in the middle of ${quote(token)}${of}, ${endPlace(body)}: ${cutText(body)}`
  const bracket = body[opened]
  if (bracket !== '{' && bracket !== '[')
    return `The JSON ends before it is complete, ${endPlace(body)}: ${cutText(body)}`
  return `The JSON ends before it is complete, ${endPlace(body)}, and the ${bracket} opened at ${placeIn(body, opened)} is not closed: ${cutText(body)}`
}

/** Describes text that ends within a string. */
export const endInStringText = (found: Found): string =>
  `The JSON ends ${inside(found)} before its closing quote, ${endPlace(found.body)}: ${cutText(found.body)}, or a quote is missing`

const inside = ({ key, expected }: Found): string =>
  expected === 'name' ? 'in the name of a field' : key === '' ? 'within a text' : `in the text of \`${visible(key)}\``

const endPlace = (body: string): string => `after ${placeIn(body, Math.max(0, body.trimEnd().length - 1))}`

/** Lengths in bytes at which queues, topics, columns and buffers cut. */
const limits: ReadonlySet<number> = new Set([
  255, 256, 512, 1_000, 1_024, 2_048, 4_000, 4_096, 8_192, 10_000, 16_384, 32_768, 65_535, 65_536, 131_072, 262_144,
  1_048_576,
])

function cutText(body: string): string {
  const bytes = Buffer.byteLength(body)
  const size = limits.has(bytes) ? `, as it has exactly ${bytes} bytes` : ''
  return `the message may have been cut off${size}`
}
