/** Puts foreign text into a sentence: in double quotes, cut, with characters that control a terminal as numbers. */
export function quote(text: string, maxLength = maxQuoted): string {
  return `"${visible(text, maxLength)}"`
}

/** Does the same without the quotes. */
export function visible(text: string, maxLength = maxQuoted): string {
  const cut = text.slice(0, maxLength + 1).toWellFormed()
  const shown = (text.length > maxLength ? `${cut.slice(0, maxLength).toWellFormed()}…` : cut).replaceAll(
    unsafe,
    (character) => {
      const number = character.codePointAt(0) ?? 0
      return `\\u{${number.toString(16)}}`
    },
  )
  return shown.length > 2 * maxLength ? `${shown.slice(0, 2 * maxLength)}…` : shown
}

/** 32 characters fit into a sentence next to its own words. */
const maxQuoted = 32

/** Control characters, line separators, blanks other than U+0020, and format characters. */
const unsafe = /(?! )[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/gu
