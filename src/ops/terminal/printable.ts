import { printable as shown, printableId as shownId, unsafe } from '../../api/public/lib/printable.js'

/** Makes text safe to print on a terminal. The dashboard shows it alike. */
export const printable = shown

/** Makes an id safe to print. Also shows blanks that the eye would miss as their numbers. */
export const printableId = shownId

/** Returns a value as one line of JSON with the same characters escaped. A JSON parser restores the original value. */
export function jsonLine(value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  return escapeJson(JSON.stringify(value, replacer))
}

/** Escapes the same characters in JSON text, where they occur only in strings. */
export function escapeJson(json: string): string {
  return json.replaceAll(anyUnsafe, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at)).padStart(4, '0')}`).join(
      '',
    ),
  )
}

const hex = (number: number): string => number.toString(16)

/** In JSON those in emoji are escaped too: a parser restores them, and none is left next to an escaped one. */
const anyUnsafe = new RegExp(unsafe, 'gu')
