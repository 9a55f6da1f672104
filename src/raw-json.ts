/** A number as written in JSON text, digit by digit. JSON.stringify writes it unchanged. */
export interface RawJson {
  readonly rawJSON: string
}

/** @throws SyntaxError if the text is no number, string or literal of JSON. */
export const rawJson = (text: string): RawJson => json.rawJSON(text)

export const isRawJson = (value: unknown): value is RawJson => json.isRawJSON(value)

/** Missing from TypeScript's library: https://tc39.es/proposal-json-parse-with-source/ */
const json = JSON as unknown as { rawJSON(text: string): RawJson; isRawJSON(value: unknown): boolean }
