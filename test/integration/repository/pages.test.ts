import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { routes } from '../../../src/api/server.ts'
import { readConfig } from '../../../src/config/config.ts'
import { variables } from '../../../src/config/variables.ts'
import { messageOf } from '../../../src/errors.ts'
import { parseCall } from '../../../src/ops/command.ts'
import { root } from '../../support/markdown.ts'
import { blocksOf, commandLines, examplesOf, pages, readPage } from '../../support/pages/blocks.ts'
import { whyNotRun } from '../../support/pages/not-run.ts'
import { ordersCall } from '../../support/pages/programs.ts'
import { asPowerShell, type Simple, simpleCommands } from '../../support/pages/shell.ts'

/** Programs that the pages run next to `orders`; the test of the pages runs them by a shell. */
const shellPrograms = ['curl', 'echo', 'export', 'node', 'redis-cli']

/** Returns what is wrong with a command, undefined if nothing is. */
function complaintOf(command: Simple): string | undefined {
  const [program = ''] = command.words
  if (whyNotRun(command)) return named[program]?.(command.words)
  const call = ordersCall(command.words)
  if (!call) return command.words.length === 0 || shellPrograms.includes(program) ? undefined : 'is not a known command'
  if (command.needsShell) return 'is run without a shell: it may have no variable, pipe or redirection'
  const isSample = call.args.some((arg) => /^<.*>$/.test(arg))
  try {
    if (!isSample) parseCall(call.command, call.args)
    const strange = call.args.find((arg) => arg.startsWith('--') && !(arg.slice(2) in call.command.options))
    return strange === undefined || strange === '--help' ? undefined : `has no option ${strange}`
  } catch (error) {
    return messageOf(error)
  }
}

interface Compose {
  readonly services: Readonly<Record<string, unknown>>
}
const { services } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as Compose
const deployments = readFileSync(join(root, 'deploy/k8s/base/deployments.yaml'), 'utf8')

/** Check that what they name is in the repository. */
const named: Readonly<Record<string, (words: readonly string[]) => string | undefined>> = {
  docker: (words) => {
    if (words[1] !== 'compose') return undefined
    const scaled = words.filter((_, at) => words[at - 1] === '--scale').map((word) => word.split('=')[0] ?? '')
    const [service] = words.slice(3).filter((word) => !word.startsWith('-'))
    const asked = words[2] === 'run' || words[2] === 'logs' ? [service ?? ''] : scaled
    const strange = asked.find((name) => !(name in services) && !name.startsWith('<'))
    return strange === undefined ? undefined : `names no service of docker-compose.yml: ${strange}`
  },
  kubectl: (words) => {
    const path = words.find((word) => word.startsWith('deploy/k8s'))
    if (path !== undefined) return existsSync(join(root, path)) ? undefined : `names no file: ${path}`
    const [, of] = /\bdeploy(?:ment)?\/([\w-]+)/.exec(words.join(' ')) ?? []
    if (of !== undefined && !deployments.includes(`name: ${of}`)) return `names no deployment: ${of}`
    const after = words.indexOf('--')
    const call = after === -1 ? undefined : ordersCall(words.slice(after + 1))
    return after !== -1 && !call ? 'runs no command of orders' : undefined
  },
}

/** Commands in the text and the tables of a page, such as `npx orders top`. */
function inlineCommands(page: string): string[] {
  const text = readPage(page).replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '')
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  return spans.filter((span) =>
    /^([A-Z_]+=\S+ )*(npx orders \w|orders [a-z]+$|orders \w+ [-\w<]|npm |docker |kubectl )/.test(span),
  )
}

/** Variables, grep and a line that continues: PowerShell has another form of them. */
const posixOnly = /^(export )?[A-Z_]+=|\$[A-Z_]+|\| grep\b|\\$/m
/** Comments behind a command, `&&` and `>>`: cmd or Windows PowerShell read them in another way. */
const inOneShellOnly = /\s#|&&|>>/

/** A path of a page leads to a route, or to a page of the API. */
const paths = [
  ...routes.map(({ path }) => path),
  ...['/', '/live', '/metrics', '/docs', '/openapi.json', '/admin/queues', '/runbook'],
  ...['', '/{name}/pause', '/{name}/resume'].map((path) => `/admin/queues/api/queues${path}`), // of Bull Board
].map((path) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`))

describe.each(pages)('%s', (page) => {
  const blocks = blocksOf(page)
  const shown = examplesOf(blocks)

  test('shows only commands that exist, with options that they have', () => {
    const complaints = [...shown.map(({ line }) => line), ...inlineCommands(page)].flatMap((line) =>
      simpleCommands(line).flatMap((command) => {
        const complaint = complaintOf(command)
        return complaint === undefined ? [] : [`${command.source}: ${complaint}`]
      }),
    )
    expect(complaints).toEqual([])
  })

  test('asks only for paths that the API serves', () => {
    const urls = [...readPage(page).matchAll(/(?:localhost:8000|<api>)(\/[^\s'"`)>]*)/g)].map(([, path = '']) => path)
    const unknown = urls.filter((url) => {
      const path = (url.split('?')[0] ?? '').replaceAll(/<\w+>/g, 'x')
      return !paths.some((known) => known.test(path))
    })
    expect(unknown).toEqual([])
  })

  test('shows what only a POSIX shell knows in PowerShell as well', () => {
    for (const [at, { language, text, at: line }] of blocks.entries()) {
      if (language === 'powershell')
        expect(`${line}\n${text}`).toBe(`${line}\n${asPowerShell(blocks[at - 1]?.text ?? '')}`)
      if (language === 'sh' && posixOnly.test(text)) {
        expect(blocks[at + 1]?.language, `after the block at ${line}`).toBe('powershell')
      }
    }
  })

  test('shows commands that every shell reads alike', () => {
    const commands = blocks.filter(({ language }) => language === 'sh' || language === 'console')
    const lines = commands.flatMap(({ at, language, text }) =>
      commandLines(text)
        .filter((line) => language === 'sh' || line.startsWith('$ '))
        .map((line) => `${at}: ${line}`),
    )
    expect(lines.filter((line) => inOneShellOnly.test(line))).toEqual([])
    const transcripts = lines.filter((line) => / \$ /.test(line))
    expect(transcripts.filter((line) => posixOnly.test(line.replace(/^.*? \$ /, '')))).toEqual([])
  })

  test('shows files and replies that can be read', () => {
    for (const { language, text, at } of blocks) {
      if (language === 'ini') expect(() => readConfig(knownIn(at, text))).not.toThrow()
      if (language === 'yaml') expect(() => parse(text)).not.toThrow()
    }
  })
})

test('README shows the stage that its how-to page adds, which test/e2e/own-code.test.ts runs', () => {
  const [shown] = blocksOf('README.md').filter(({ language }) => language === 'ts')
  const [added] = blocksOf('docs/how-to/add-a-stage.md').filter(({ info }) => info === 'src/stages/revenue.ts')
  expect(shown?.text).toMatch(/^export const revenue/)
  expect(added?.text).toContain(shown?.text)
})

function knownIn(at: string, text: string): NodeJS.Dict<string> {
  const given = parseEnv(text)
  const names = Object.values(variables).map(({ name }) => name as string)
  expect(
    Object.keys(given).filter((name) => !names.includes(name)),
    at,
  ).toEqual([])
  return given
}
