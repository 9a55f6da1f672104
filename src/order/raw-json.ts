/** A number as written in JSON text, digit by digit. JSON.stringify writes it unchanged. */
export interface RawJson {
  readonly rawJSON: string
}

/** @throws SyntaxError if the text is no number, string or literal of JSON. */
export const rawJson = (text: string): RawJson => json.rawJSON(text)

export const isRawJson = (value: unknown): value is RawJson => json.isRawJSON(value)

/** Missing from TypeScript's library: https://tc39.es/proposal-json-parse-with-source/ */
const json = JSON as unknown as { rawJSON(text: string): RawJson; isRawJSON(value: unknown): boolean }

/** Matches a token: a string, a bracket, comma or colon, or a run of other characters except blanks. */
const jsonToken = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]|[^\s"[\]{},:]+/gs

/** Returns the value of a member in the text of a JSON object, byte for byte. The last member of that name counts. */
export function memberText(json: string, name: string): string | undefined {
  let [depth, key, from, found] = [0, '', -1, undefined as string | undefined]
  let before = ''
  for (const { 0: token, index } of json.matchAll(jsonToken)) {
    const closes = token === '}' || token === ']'
    if (depth === 1 && (token === ',' || token === '}') && from >= 0) {
      if (key === name) found = json.slice(from, index).trim()
      from = -1
    } else if (depth === 1 && token === ':' && from < 0) {
      key = String(JSON.parse(before))
      from = index + 1
    }
    if (closes) depth--
    else if (token === '{' || token === '[') depth++
    before = token
  }
  return found
}
