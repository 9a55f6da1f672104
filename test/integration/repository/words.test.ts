import { readdirSync, readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'

/*
 * One word for one thing, and plain American English: see CONTRIBUTING.md. The words on the left are gone, as identifiers and
 * in prose. The reason why a file may have one is next to its name.
 */

const root = new URL('../../../', import.meta.url)

/** Word that is gone → the words to use, and the folder where it is gone if it is not everywhere. */
const gone: readonly (readonly [word: RegExp, instead: string, folder?: string])[] = [
  [/\bsteer(s|ed|ing)?\b/i, 'pause, pausing'],
  [/\b(told|tells?|untold)\b/i, 'message, text, report, say'],
  [/\b(told|tell)[A-Z]|[a-z](Told|Tell)\b/, 'message, text, report, say'],
  [/\b(most|least|longest|largest)[A-Z]\w*/, 'max…, min…'],
  [/\bwork(s|ed|ing)? (\w+ )?off\b|\bworkOff\b|\bworkedOff\b/i, 'processes, drained'],
  [/\b(go(es|ing)?|went|sent|sends?) round\b/i, 'makes progress, requeued'],
  [/\bin hand\b/i, 'in flight'],
  [/\bheld back\b/i, 'backpressure'],
  [/\bmend(s|ed|ing)?\b/i, 'fix'],
  [/\banew\b/i, 'again'],
  [/\bof late\b/i, 'recently'],
  [/\bin vain\b/i, 'unsuccessfully'],
  [/\bin turns?\b/i, 'alternating, one after the other'],
  [/\bbeside\b/i, 'next to'],
  [/\bstand-?ins?\b/i, 'local emulator'],
  [/\b(somebody|nobody|whoever)\b/i, 'the actor: a producer, an operator, another process'],
  [/\bvaluesOf\b|\bremember\(|\bwithin\(/, 'unwrapReplies, cached, withTimeout', 'src/'],
  [/\b(Look|looked)\b(?=[:<,; )}\]]*$)|\binterface Look\b|\btype Look\b/, 'ScanCoverage, scanned'],
  [/\bOrders(Blind|StandStill|BooksOff)\b/, 'OrdersMetricsMissing, OrdersStageStalled, OrdersIntegrityMismatch'],
  [/\bstandstill\b/i, 'stalls'],
  [/\b(is|are|was|were) to be (?!sure)/i, 'must'],
  [/\bledger lines?\b/i, 'ledger record'],
  [/\bsilent consumers?\b/i, 'an entry pending longer than CLAIM_IDLE_MS'],
  [/\bbooks are not right\b/i, 'the books do not balance'],
  [/\b(steering|pressure|outage|exchange|story|orderbook|standstill)\.ts\b/, 'the name that the file has now'],
]

/** Comments that only describe a thing as "What …": begin with a verb. */
const vague = /^\s*(?:\/\*\*?|\/\/|\*|--) (What|Whether|Who|Whom|Whose)\b/
const isCode = (path: string): boolean => /\.(ts|js|lua)$/.test(path)

/** Files that may have a word, and why. */
const allowed: Readonly<Record<string, string>> = {
  'test/integration/repository/words.test.ts': 'this list',
}

const folders = ['src', 'test', 'tools', 'bench', 'docs', 'deploy']
/** Generated from sources that are checked themselves, sample data, and packages. */
const skipped = /(^|\/)node_modules\/|\.(png|svg|ndjson)$|docs\/openapi\.json|grafana\/orders\.json|package-lock\.json/

function filesIn(folder: string): string[] {
  const paths = readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })
  return paths.map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
}

const topLevel = readdirSync(root).filter((name) => /\.(md|yml)$|^\.env\.example$/.test(name))
const files = [...folders.flatMap(filesIn), ...topLevel].filter(
  (path) => !skipped.test(path) && statSync(new URL(path, root)).isFile(),
)

function complaints(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, at) => [
    ...gone.flatMap(([word, instead, folder = '']) => {
      if (!path.startsWith(folder)) return []
      const [found] = word.exec(line) ?? []
      return found === undefined ? [] : [`${path}:${at + 1}: "${found}": say ${instead}`]
    }),
    ...(isCode(path) && vague.test(line)
      ? [`${path}:${at + 1}: begins with "${vague.exec(line)?.[1]}": begin with a verb`]
      : []),
  ])
}

test('the words that are gone stay gone', () => {
  expect(files.length).toBeGreaterThan(500)
  const checked = files.filter((path) => allowed[path] === undefined)
  expect(checked.flatMap((path) => complaints(path, readFileSync(new URL(path, root), 'utf8')))).toEqual([])
})

test.each([
  ['src/x.ts', 'const told = 1', '"told"'],
  ['src/x.ts', 'const mostTries = 3', '"mostTries"'],
  ['docs/x.md', 'Orders are Worked off.', '"Worked off"'],
  ['src/x.ts', '/** Whether it is open. */', '"Whether"'],
  ['src/x.ts', '-- What the script replies', '"What"'],
  ['test/x.ts', '  /** What is sent. */', '"What"'],
])('finds a word that is gone: %s %s', (path, line, word) => {
  expect(complaints(path, line).join()).toContain(word)
})

test.each(['/** Returns what the script replies. */', 'almost all; at least one; the longest time', 'a command'])(
  'has nothing against %s',
  (line) => {
    expect(complaints('src/x.ts', line)).toEqual([])
  },
)
