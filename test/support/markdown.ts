import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const names = ['.', 'docs'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: folder !== '.', encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name).replaceAll('\\', '/')),
)

/** Every Markdown page for people: path from the root → text. */
export const pages: ReadonlyMap<string, string> = new Map(
  names.map((name) => [name, readFileSync(join(root, name), 'utf8')]),
)

/** Removes fenced blocks from a page. */
export const withoutBlocks = (text: string): string => text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '')

/** Removes the sections that `npm run docs` writes. */
export const withoutGenerated = (text: string): string => text.replaceAll(/<!-- (\S+) -->[\s\S]*?<!-- \/\1 -->/g, '')
