import { withoutBlocks } from '../markdown.ts'
import { blocksOf, examplesOf, pages, readPage } from './blocks.ts'
import { simpleCommands } from './shell.ts'

/**
 * Returns every line for a program that a page has, in a block or within a sentence. Two words in a sentence are the name of
 * a command, as in "KEDA undoes `kubectl scale`".
 */
export function linesFor(program: 'docker' | 'kubectl'): string[] {
  const inSentence = new RegExp(`\`(${program} [^\`]+ [^\`]+)\``, 'g')
  const all = pages.flatMap((page) => {
    const lines = examplesOf(blocksOf(page)).flatMap(({ line }) => simpleCommands(line).map(({ source }) => source))
    const inline = [...withoutBlocks(readPage(page)).matchAll(inSentence)].map(([, line = '']) => line)
    return [...lines.filter((line) => line.startsWith(`${program} `)), ...inline]
  })
  return [...new Set(all)]
}

/** Returns what a line asks kubectl to do, such as `rollout`. */
export const verbOf = (line: string): string => /^kubectl (?:-n \S+ )?([\w-]+)/.exec(line)?.[1] ?? ''
