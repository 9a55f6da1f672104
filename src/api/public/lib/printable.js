// @ts-check
/*
 * How text that anyone can send is shown, on the page and at a terminal alike.
 */

/** Characters that are part of an emoji stay as they are: the joiner, and the two variation selectors. */
const inEmoji = String.raw`(?<=[\p{Emoji}\ufe0f])\u200d(?=\p{Emoji})|(?<=\p{Emoji})[\ufe0e\ufe0f]`
/** Control characters, format characters, line separators and invisible characters. */
export const unsafe = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`
const unsafeInText = new RegExp(`(?!${inEmoji})${unsafe}`, 'gu')
/** Blanks at an end, other characters that look like a blank, and the pattern of no dots in Braille. */
const unseenInId = /^ +| +$|(?! )\p{Zs}|\u2800/gu

/**
 * Makes text safe to show. Shows each character that moves the cursor, changes the direction of text, or is invisible as
 * its number.
 * @param {string} text
 */
export function printable(text) {
  return text.toWellFormed().replaceAll(unsafeInText, numbers)
}

/**
 * Makes an id safe to show, so that two ids that differ also look different. Shows blanks that the eye would miss as their
 * numbers, too.
 * @param {string} id
 */
export function printableId(id) {
  return printable(id).replaceAll(unseenInId, numbers)
}

/** @param {string} characters */
const numbers = (characters) =>
  Array.from(characters, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`).join('')
