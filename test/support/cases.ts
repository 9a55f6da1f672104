import { readFileSync } from 'node:fs'

/** A body as a producer sent it, how the rules judge it, and the hint on it; `accepted` has none. */
export interface Case {
  readonly name: string
  readonly body: string
  readonly code: string
  readonly hint?: string
}

/** Bodies of real producers, and what is read in them. */
export function readCases(file: 'bodies' | 'hints'): Case[] {
  const text = readFileSync(new URL(`../cases/${file}.ndjson`, import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}
