/** A simple command of a shell, as in `PARTITIONS=8 npm start`. */
export interface Simple {
  readonly env: Readonly<Record<string, string>>
  readonly words: readonly string[]
  /** It needs a shell: a variable, a pipe or a redirection. */
  readonly needsShell: boolean
  /** As it was written, without a comment. */
  readonly source: string
}

/** Splits a line at `&&`, and each command into its words as a shell does. A comment at its end is left out. */
export function simpleCommands(line: string): Simple[] {
  const commands: Simple[] = []
  let pieces: string[] = []
  let source = ''
  let needsShell = false
  const end = (): void => {
    if (pieces.length > 0) commands.push({ ...assignments(pieces), needsShell, source: source.trim() })
    pieces = []
    source = ''
    needsShell = false
  }
  for (const [piece, blank, comment, and, operator] of line.matchAll(lexical)) {
    if (comment !== undefined) break
    if (and !== undefined) {
      end()
      continue
    }
    source += piece
    if (blank !== undefined) continue
    if (operator !== undefined || expands(piece)) needsShell = true
    pieces.push(piece)
  }
  end()
  return commands
}

/** A blank, a comment, `&&`, another operator, or a word: unquoted, quoted and escaped parts without a blank between. */
const lexical = /(\s+)|(#.*$)|(&&)|([|;>&]+)|(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|<\w+>|[^\s'"\\|;&>])+/g

const expands = (piece: string): boolean => piece.replaceAll(/'[^']*'/g, '').includes('$')

function assignments(pieces: readonly string[]): Pick<Simple, 'env' | 'words'> {
  const words = pieces.map(unquoted)
  const first = words.findIndex((_, at) => !/^[A-Z_]+=/.test(pieces[at] ?? ''))
  const count = first === -1 ? words.length : first
  const env = words.slice(0, count).map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)])
  return { env: Object.fromEntries(env), words: words.slice(count) }
}

const unquoted = (piece: string): string =>
  piece.replaceAll(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g, (_, single, double, escaped) =>
    single !== undefined ? single : double !== undefined ? double.replaceAll(/\\(["\\$`])/g, '$1') : escaped,
  )

/**
 * Returns a `sh` script as PowerShell has it: `NAME=value command` sets `$env:NAME` first, and `$NAME` reads it. `curl` is
 * another command there, `curl.exe` is this one. `Select-String` searches as `grep` does. A line continues after a backtick.
 */
export function asPowerShell(script: string): string {
  const lines = script.replaceAll(/ \\\n/g, ' `\n').split('\n')
  return lines.map(lineAsPowerShell).join('\n')
}

function lineAsPowerShell(line: string): string {
  const set = /^(?:export )?((?:[A-Z_]+=(?:'[^']*'|"[^"]*"|[^\s'"]*)(?:\s+|$))+)(.*)$/.exec(line)
  const rest = (set?.[2] ?? line)
    .replace(/^curl\b/, 'curl.exe')
    .replaceAll('| grep ', '| Select-String ')
    .replaceAll(/'[^']*'|\$([A-Z_]+)/g, (all, name) => (name === undefined ? all : `$env:${name}`))
  const values = [...(set?.[1] ?? '').matchAll(/([A-Z_]+)=('[^']*'|"[^"]*"|[^\s'"]*)/g)].map(
    ([, name, value = '']) => `$env:${name}=${/^['"]/.test(value) ? value : `'${value}'`}`,
  )
  return [...values, rest].filter((part) => part !== '').join('; ')
}
