import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { pages, root, withoutBlocks } from '../../support/markdown.ts'

/** Returns the anchors that GitHub gives the headings of a page. */
function anchorsOf(text: string): string[] {
  const headings = [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function isDead(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const file = path === '' ? join(root, page) : join(root, dirname(page), path)
  if (!existsSync(file)) return true
  return anchor !== undefined && !anchorsOf(readFileSync(file, 'utf8')).includes(anchor)
}

test.each([...pages])('%s links only to files and headings that exist', (page, text) => {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  expect(links.filter((link) => !/^https?:/.test(link) && isDead(page, link))).toEqual([])
})

const rooms = [
  'src',
  'test',
  'tools',
  'bench',
  'docs',
  'deploy/k8s',
  'deploy/prometheus',
  'deploy/grafana',
  'deploy/systemd',
]
const sources = ['src', 'test', 'tools'].flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }),
)
const sourceNames = new Set(sources.map((path) => basename(path)))

/** Returns the files that a page names and that do not exist: by their path, or in inline code by their name alone. */
function missingFiles(text: string): string[] {
  // A how-to page shows files that its reader adds. Each is a block with the path after its language.
  const added = new Set([...text.matchAll(/^```\w+ (\S+)$/gm)].map(([, path = '']) => path))
  const paths = [...text.matchAll(new RegExp(`(?<![\\w./-])(?:${rooms.join('|')})/[\\w./-]*\\w`, 'g'))].map(
    ([path]) => path,
  )
  const names = [...withoutBlocks(text).matchAll(/`([\w.-]+\.(?:ts|lua|js))`/g)].map(([, name = '']) => name)
  const own = new Set([...added].map((path) => basename(path)))
  return [
    ...paths.filter((path) => !added.has(path) && !existsSync(join(root, path))),
    ...names.filter((name) => !own.has(name) && !sourceNames.has(name)),
  ]
}

test.each([...pages])('%s names only files that exist', (_page, text) => {
  expect(missingFiles(text)).toEqual([])
})

test('a file that does not exist is found by its path and by its name', () => {
  const text =
    'See `src/keys.ts`, `src/nowhere.ts`, `keys.ts` and `nowhere.lua`.\n```ts src/mine.ts\n```\nand `src/mine.ts`'
  expect(missingFiles(text)).toEqual(['src/nowhere.ts', 'nowhere.lua'])
})
