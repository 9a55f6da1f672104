/** Text of others on a terminal: what would steer it, or turn the direction of what follows, is shown as its number. */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(steering, (character) => {
    const number = character.codePointAt(0) ?? 0
    return `\\u{${number.toString(16)}}`
  })
}

/** Control characters, separators of lines, and format characters but the joiner that emoji are made with. */
const steering = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
