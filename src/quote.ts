/** Others' text within a sentence: in double quotes, cut, and whatever would steer a terminal or a line as its number. */
export function quote(text: string, most = maxQuoted): string {
  return `"${visible(text, most)}"`
}

/** The same without the quotes. */
export function visible(text: string, most = maxQuoted): string {
  const cut = text.slice(0, most + 1).toWellFormed()
  const shown = (text.length > most ? `${cut.slice(0, most).toWellFormed()}…` : cut).replaceAll(
    steering,
    (character) => {
      const number = character.codePointAt(0) ?? 0
      return `\\u{${number.toString(16)}}`
    },
  )
  return shown.length > 2 * most ? `${shown.slice(0, 2 * most)}…` : shown
}

/** What fits a sentence beside the words around it. */
const maxQuoted = 32

/** Control characters, separators of lines, blanks that are not U+0020, and format characters. */
const steering = /(?! )[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/gu
