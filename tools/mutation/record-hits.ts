import { appendFileSync } from 'node:fs'
import { afterAll, expect } from 'vitest'

// A setup file of the baseline run: per test file, the functions that it called.
const called = new Set<string>()
Object.assign(globalThis, { mutationHits: called })

afterAll(() => {
  const out = process.env['MUTATION_HITS']
  if (out) appendFileSync(out, `${JSON.stringify([expect.getState().testPath, [...called]])}\n`)
})
