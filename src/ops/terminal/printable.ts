/**
 * Makes text safe to print on a terminal. Shows each character that moves the cursor, changes the direction of text, or is
 * invisible as its number.
 */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(unsafe, (character) => `\\u{${hex(character.codePointAt(0) ?? 0)}}`)
}

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

/** Characters that are part of an emoji stay as they are: the joiner, and the two variation selectors. */
const inEmoji = String.raw`(?<=[\p{Emoji}\ufe0f])\u200d(?=\p{Emoji})|(?<=\p{Emoji})[\ufe0e\ufe0f]`

/** Control characters, format characters, line separators and invisible characters. */
const kinds = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`
const unsafe = new RegExp(`(?!${inEmoji})${kinds}`, 'gu')
/** In JSON those in emoji are escaped too: a parser restores them, and none is left next to an escaped one. */
const anyUnsafe = new RegExp(kinds, 'gu')
