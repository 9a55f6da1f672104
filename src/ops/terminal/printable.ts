/**
 * Shows text as a terminal cannot be steered by it: each character that moves the cursor, turns the direction of what
 * follows, or is not seen, is shown as its number.
 */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(steering, (character) => `\\u{${hex(character.codePointAt(0) ?? 0)}}`)
}

/** Returns a value as one line of JSON, in which the same characters are escaped. Any reader of JSON gets the value as it is. */
export function jsonLine(value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  return escapeJson(JSON.stringify(value, replacer))
}

/** Escapes the same characters in a text that is JSON, where they stand in strings only. */
export function escapeJson(json: string): string {
  return json.replaceAll(anySteering, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at)).padStart(4, '0')}`).join(
      '',
    ),
  )
}

const hex = (number: number): string => number.toString(16)

/** Characters that emoji are made with are left alone there: the joiner, and the two that choose how one is drawn. */
const inEmoji = String.raw`(?<=[\p{Emoji}\ufe0f])\u200d(?=\p{Emoji})|(?<=\p{Emoji})[\ufe0e\ufe0f]`

/** Control characters, format characters, separators of lines, and what is drawn as nothing at all. */
const kinds = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`
const steering = new RegExp(`(?!${inEmoji})${kinds}`, 'gu')
/** In JSON those in emoji are escaped, too: a reader has them back, and none is left over next to one that was escaped. */
const anySteering = new RegExp(kinds, 'gu')
