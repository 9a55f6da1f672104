import { expect, test } from 'vitest'
import { pages, withoutBlocks, withoutGenerated } from '../../support/markdown.ts'

/** Tables and images cannot be broken into lines, and generated sections have one sentence a line. */
function longLines(text: string): string[] {
  const lines = withoutGenerated(withoutBlocks(text)).split('\n')
  return lines.filter((line) => line.length > 120 && !/^\s*(\||<img)/.test(line))
}

test.each([...pages])('%s has prose of at most 120 characters a line', (_page, text) => {
  expect(longLines(text)).toEqual([])
})

test('a long line is found in prose only', () => {
  const long = 'x'.repeat(121)
  expect(longLines(`\`\`\`sh\n${long}\n\`\`\`\n${long}\n| ${long} |\n`)).toEqual([long])
})
