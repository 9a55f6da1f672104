import { posix } from 'node:path'

/** Path from the root of the repository → text. */
export type Texts = ReadonlyMap<string, string>

const importing = /\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g

/**
 * Test files that import a file, directly or through others, and how many imports lie between. A Lua script is imported by
 * the files that name it: its wrapper has its name.
 */
export function reachOf(texts: Texts, changed: string): Map<string, number> {
  const importers = importersOf(texts)
  const wrapper = changed.replace(/\.lua$/, '.ts')
  const distances = new Map([[wrapper, 0]])
  for (const [file, distance] of distances) {
    // A Map's iterator sees what is added while it runs: this is a breadth-first search.
    for (const importer of importers.get(file) ?? [])
      if (!distances.has(importer)) distances.set(importer, distance + 1)
  }
  return new Map([...distances].filter(([file]) => file.endsWith('.test.ts')))
}

const known = new WeakMap<Texts, Map<string, string[]>>()

function importersOf(texts: Texts): Map<string, string[]> {
  const found = known.get(texts) ?? new Map<string, string[]>()
  if (known.has(texts)) return found
  known.set(texts, found)
  for (const [file, text] of texts) {
    for (const [, path = ''] of text.matchAll(importing)) {
      const imported = posix.join(posix.dirname(file), path)
      found.set(imported, [...(found.get(imported) ?? []), file])
    }
  }
  return found
}

/** Counts the folders and words that a test's path shares with a file: mirrored tests share most. */
export function kinship(test: string, file: string): number {
  const words = new Set(test.split(/[/.-]/))
  return file.split(/[/.-]/).filter((word) => words.has(word)).length
}
