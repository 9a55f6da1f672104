/** Returns an index as people count: from 1, in characters, by line and column where there are several lines. */
export function placeIn(text: string, at: number): string {
  const line = count(text, '\n', at)
  const isLines = line > 0 || text.slice(at).trimEnd().includes('\n')
  if (!isLines) return `character ${charactersIn(text, 0, at) + 1}`
  const start = text.lastIndexOf('\n', at - 1) + 1
  return `line ${line + 1}, column ${charactersIn(text, at === 0 ? 0 : start, at) + 1}`
}

function count(text: string, character: string, end: number): number {
  let found = 0
  for (let at = text.indexOf(character); at !== -1 && at < end; at = text.indexOf(character, at + 1)) found++
  return found
}

/** Counts characters. A pair of surrogates is one. */
function charactersIn(text: string, from: number, to: number): number {
  let found = 0
  for (let at = from; at < to; at++) {
    const isSecondHalf = (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800
    if (!isSecondHalf) found++
  }
  return found
}
