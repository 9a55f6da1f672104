import { pages as markdown } from '../markdown.ts'

/** Every page that people read, by its path from the root of the repository. The changelog names commands of the past. */
export const pages: readonly string[] = [...markdown.keys()].filter((name) => name !== 'CHANGELOG.md').sort()

export const readPage = (page: string): string => markdown.get(page) ?? ''

/** A fenced block of a page. */
export interface Block {
  /** `docs/x.md:12`, the line of its first fence. */
  readonly at: string
  /** `sh`, `json`, …; empty where the fence names none. */
  readonly language: string
  /** The rest of the line of its first fence, such as the path of the file that it shows. */
  readonly info: string
  readonly text: string
}

/** Returns the fenced blocks of a page. Those in a list are indented; their text is not. */
export function blocksOf(page: string, text = readPage(page)): Block[] {
  const found = text.matchAll(/^( *)```(\w*) ?(.*)\n([\s\S]*?)^\1```$/gm)
  return [...found].map(({ index, 1: indent = '', 2: language = '', 3: info = '', 4: inner = '' }) => ({
    at: `${page}:${text.slice(0, index).split('\n').length}`,
    language,
    info,
    text: inner.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}

/** One command line of a page, with what the page says that it prints. */
export interface Example {
  readonly at: string
  readonly line: string
  readonly expected?: Expected
  readonly exitCode: number
}

export interface Expected {
  readonly language: 'text' | 'json'
  /** `numbers vary` where all numbers are random. */
  readonly info?: string
  readonly text: string
}

/**
 * Returns the command lines of a page in their order. A `text` or `json` block after a `sh` block is the output of its last
 * line; `exit code 1` behind the fence says that this line fails. A `console` block has lines that begin with `$ `, each with its output below it. A `powershell` block has the
 * commands of the `sh` block before it once more.
 */
export function examplesOf(blocks: readonly Block[]): Example[] {
  const shown = blocks.filter(({ language }) => language !== 'powershell')
  return shown.flatMap((block, at) => {
    if (block.language === 'console') return transcriptOf(block)
    if (block.language !== 'sh') return []
    const lines = commandLines(block.text)
    const next = shown[at + 1]
    const output = next?.language === 'text' || next?.language === 'json' ? next : undefined
    return lines.map((line, nth): Example => {
      const isLast = nth === lines.length - 1
      const exitCode = isLast && block.info === 'exit code 1' ? 1 : 0
      return { at: block.at, line, exitCode, ...(isLast && output && { expected: output as Expected }) }
    })
  })
}

function transcriptOf({ at, text }: Block): Example[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [, line = '', output = ''] = /^((?:.*\\\n)*.*)\n?([\s\S]*)$/.exec(part) ?? []
      return { at, line: joined(line), exitCode: 0, expected: { language: 'text', text: output } }
    })
}

/** Returns the lines of a script, those that end with a backslash joined with the next one, without comments. */
export function commandLines(script: string): string[] {
  return joined(script)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

const joined = (script: string): string => script.replaceAll(/\\\n\s*/g, '')
