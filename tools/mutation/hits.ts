import type { Node } from './typescript.ts'
import { parse, walk } from './typescript.ts'

/** A function of a file: where it stands, and the name under which its calls are recorded. */
interface Place {
  readonly key: string
  readonly start: number
  readonly end: number
}

/** The functions of a TypeScript file. */
function functionsOf(file: string, text: string): (Place & { body: Node })[] {
  const found: (Place & { body: Node })[] = []
  walk(parse(text), undefined, (node) => {
    const body = node['body'] as Node | undefined
    if (!/Function/.test(node.type) || !body || typeof body.start !== 'number') return
    found.push({ key: `${file}#${found.length}`, start: node.start, end: node.end, body })
  })
  return found
}

/**
 * The same code, which records each function that is called in `globalThis.mutationHits`. In a test that is a set of
 * record-hits.ts; in a process that a test spawns, each name is appended to the file when it is called first, unless it may not write.
 */
export function recording(file: string, text: string, hitsFile: string): string {
  const inserts = functionsOf(file, text).flatMap(({ key, body }, index): [at: number, what: string][] => {
    const record = `mutationCalls[${index}] ??= globalThis.mutationHits.add('${key}')`
    if (body.type === 'BlockStatement') return [[body.start + 1, `${record};`]]
    return [
      [body.start, `((${record}),`],
      [body.end, ')'],
    ]
  })
  const recorded = inserts
    .toSorted(([one], [other]) => other - one)
    .reduce((code, [at, what]) => code.slice(0, at) + what + code.slice(at), text)
  return `globalThis.mutationHits ??= (${appending})(${JSON.stringify(hitsFile)});var mutationCalls = [];${recorded}`
}

const appending = `(file, seen = new Set(), fs = process.getBuiltinModule('node:fs')) => ({
  add: (key) => { if (!seen.has(key)) { seen.add(key); try { fs.appendFileSync(file, JSON.stringify(['', [key]]) + '\\n') } catch {} } return true },
})`.replaceAll('\n', '')

/**
 * The calls that show that a test runs a stretch of a file: those of the innermost function around it. Outside any function,
 * and for a Lua script (whose calls are those of its wrapper), any call of the file will do.
 */
export function callsFor(wrapper: string, text: string, change: { file: string; start: number }): string[] {
  const functions = functionsOf(wrapper, text)
  const around =
    change.file === wrapper ? functions.filter(({ start, end }) => start <= change.start && change.start < end) : []
  const innermost = around.toSorted((one, other) => one.end - one.start - (other.end - other.start))[0]
  return innermost ? [innermost.key] : functions.map(({ key }) => key)
}
