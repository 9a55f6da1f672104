import { readFileSync } from 'node:fs'

const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')

/** A command in code style, up to the end of the code. */
const inline = /`((?:npx orders [a-z]|redis-cli |curl |df\b)[^`]*)`/g

/** The name of the part before the first section. */
export const head = 'Runbook'

/** Returns the commands of each section that has some: in their order, without repeats. */
export function runbookCommands(): Map<string, string[]> {
  const sections = runbook.split(/^#+ /m).slice(1)
  const found = sections.map((text): [string, string[]] => [
    text.split('\n')[0] ?? '',
    [...new Set([...text.matchAll(inline)].map(([, command = '']) => command))],
  ])
  return new Map(found.filter(([, commands]) => commands.length > 0))
}
