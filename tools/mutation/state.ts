import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Texts } from './reach.ts'

/** Holds the result of a change. */
export interface Result {
  readonly outcome: 'caught' | 'timed out' | 'types' | 'survived'
  /** The test that caught it. */
  readonly by?: string
  readonly ms: number
  /** Set where end-to-end tests have run too. */
  readonly wide?: boolean
}

/** Describes a test file by its run on the unchanged code. */
export interface TestFile {
  readonly hash: string
  readonly passes: boolean
  /** Its first test that fails. */
  readonly failed?: string
  readonly ms: number
  /** The functions that it calls, as hits.ts names them. */
  readonly calls: readonly string[]
}

/** Holds what a run has found so far: another run with --resume continues from there. */
export interface State {
  /** Of src: other code makes all of it void. */
  sources: string
  tests: Record<string, TestFile>
  results: Record<string, Result>
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** The state of an earlier run of the same code, or an empty one. */
export function readState(path: string, texts: Texts, resume: boolean): State {
  const sources = hashOf(JSON.stringify([...texts].filter(([file]) => file.startsWith('src/'))))
  const empty: State = { sources, tests: {}, results: {} }
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as State
    if (found.sources !== sources) return empty
    return resume ? found : { ...found, results: {} }
  } catch {
    return empty
  }
}

export function writeState(path: string, state: State): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, JSON.stringify(state, undefined, 1))
}

/** True for a test that judges every change: it starts no whole system, and needs no Docker engine. */
export const isNear = (test: string): boolean => /^test\/(unit|integration)\//.test(test)

/** True for a test that takes long: it runs on what the others let pass. */
export const isWide = (test: string): boolean => /^test\/(e2e|chaos)\//.test(test)
