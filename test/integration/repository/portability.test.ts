import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/*
 * The system runs on Linux, macOS and Windows. What only POSIX systems have is allowed in the files below, each with the other
 * way that Windows takes.
 */

const root = new URL('../../../', import.meta.url)

const patterns: Readonly<Record<string, RegExp>> = {
  'a folder of POSIX': /['"`]\/(tmp|proc|dev|bin|usr|etc|var|run)\b/,
  'a process group': /\bdetached\b|\bkill\(\s*-/,
  'a signal': /\bSIG(?!INT\b)[A-Z]+\d?\b/,
  'the parent process': /\bppid\b/,
  'users and modes': /\bgete?[ug]id\b|\bumask\b|\bchmod|\b0o[0-7]{3,4}\b/,
  'another program': /(?<![.\w])exec(Sync)?\(|\bexecFile(Sync)?\(|\bspawn(Sync)?\(|\bfork\(|\bshell:/,
  'paths of POSIX': /\bposix\b|import\.meta\.url\)\.pathname\b|`\$\{\w*([fF]older|[dD]ir|[fF]ile|[rR]oot)\}\//,
  'a link or a Unix socket': /symlink|readlink|\bunix:|\.sock\b/,
  'a flag of open': /\bO_(NONBLOCK|NOCTTY|NOFOLLOW)\b/,
}

/** Lists the files where they are allowed, and what Windows does there. */
const allowed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'src/ops/terminal/interactive/editor.ts': {
    'another program': 'cmd starts the editor, Notepad if none is set',
    'users and modes': 'Node ignores the mode',
  },
  'src/redis/endpoint.ts': { 'a link or a Unix socket': 'REDIS_URL may name a host and port' },
  'src/config/variables/process.ts': { 'a signal': 'a description; a process ends there with its console' },
  'src/config/redis-url.ts': { 'a link or a Unix socket': 'REDIS_URL may name a host and port' },
  'src/errors.ts': { 'a signal': 'a description; Node knows the numbers there too' },
  'src/ops/main.ts': {
    'a signal': 'Ctrl-C is SIGINT and a closed console is SIGHUP there too; nothing sends SIGTERM',
    'the parent process': 'Ctrl-C reaches every process of the console, so the shell need not pass it on',
  },
  'src/ops/local/private-files.ts': { 'users and modes': 'the folders of a user are closed to others' },
  'src/ops/local/redis-program.ts': {
    'a folder of POSIX': 'no program is found, so the emulator runs',
    'another program': 'no program is found, so the emulator runs',
  },
  'src/ops/local/redis-server.ts': {
    'a folder of POSIX': 'called only for a program that was found',
    'a process group': 'called only for a program that was found',
    'a signal': 'called only for a program that was found',
    'another program': 'called only for a program that was found',
    'users and modes': 'Node ignores the mode',
  },
  'src/ops/local/running-system.ts': { 'users and modes': 'Node ignores the mode' },
  'src/ops/open/log.ts': {
    'a folder of POSIX': 'it cannot be opened, so descriptor 2 is used',
    'a flag of open': 'it cannot be opened, so descriptor 2 is used',
  },
  'tools/mutation/reach.ts': { 'paths of POSIX': 'import paths have slashes everywhere' },
  'tools/mutation/sandbox.ts': {
    'a link or a Unix socket': 'a junction',
    'a process group': 'the child alone is killed',
    'a signal': 'Node ends the process',
    'another program': 'git is on the PATH, and Node runs the others',
  },
  'src/ops/process/operating-user.ts': { 'users and modes': 'a user always has a name' },
}

const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

function sourcesIn(folder: string): string[] {
  const paths = readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })
  return paths.map((path) => `${folder}/${path.replaceAll('\\', '/')}`).filter((path) => /\.(ts|js)$/.test(path))
}

/** Removes comments. */
const codeOf = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/ .*/g, '$1')

/** Lists the places that only POSIX systems know, as `file: kind`. */
function placesIn(path: string): string[] {
  const code = codeOf(read(path))
  return Object.entries(patterns).flatMap(([kind, pattern]) => (pattern.test(code) ? [`${path}: ${kind}`] : []))
}

test('what only POSIX systems have is used where Windows has another way', () => {
  const found = ['src', 'tools'].flatMap(sourcesIn).flatMap(placesIn)
  const expected = Object.entries(allowed).flatMap(([path, kinds]) =>
    Object.keys(kinds).map((kind) => `${path}: ${kind}`),
  )
  expect(found.sort()).toEqual(expected.sort())
})

test('npm scripts use no syntax of a shell but &&, which cmd knows too', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const steps = Object.values(scripts).flatMap((script) => script.split(' && '))
  expect(steps).toContain('vitest run')
  expect(steps.filter((step) => !/^(node|npm|vitest|tsc|biome)( [\w./:-]+)*$/.test(step))).toEqual([])
})
