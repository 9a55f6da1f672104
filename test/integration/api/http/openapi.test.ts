import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RulesetDefinition, Spectral } from '@stoplight/spectral-core'
import { oas } from '@stoplight/spectral-rulesets'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { exampleOf } from '../../../../src/api/examples/examples.ts'
import { openApiDocument } from '../../../../src/api/http/openapi.ts'
import { rightOf } from '../../../../src/api/http/route.ts'
import { routes } from '../../../../src/api/server.ts'
import { openTestApi } from '../../../support/api.ts'
import { adminToken } from '../../../support/world.ts'

// docs.test.ts holds it together with the code.
const file = join(import.meta.dirname, '../../../../docs/openapi.json')
const document = JSON.parse(readFileSync(file, 'utf8'))

/** @returns what Spectral finds in a document, by all of its rules but one */
async function lint(text: unknown): Promise<string[]> {
  const spectral = new Spectral()
  // An address of its operators is not for the code to know.
  spectral.setRuleset({ extends: [[oas as RulesetDefinition, 'all']], rules: { 'contact-properties': 'off' } })
  const found = await spectral.run(JSON.parse(JSON.stringify(text)))
  return found.map(({ code, message, path }) => `${code} at ${path.join('.')}: ${message}`)
}

test('Spectral finds nothing in the document, its examples included', async () => {
  expect(await lint(document)).toEqual([])
})

test('every route shows an example, and one that its schema refuses would be found', async () => {
  expect(routes.filter((route) => !exampleOf(route)).map(({ path }) => path)).toEqual([])
  const missing = routes.filter((route) => {
    const { body, params } = exampleOf(route) ?? {}
    return (route.body !== undefined && body === undefined) || (route.params !== undefined && params === undefined)
  })
  expect(missing.map(({ path }) => path)).toEqual([])
  const changed = structuredClone(document)
  changed.paths['/stats/global'].get.responses['200'].content['application/json'].example.total_orders = 'two'
  expect(await lint(changed)).toEqual([expect.stringContaining('total_orders')])
})

test('an operation names only the statuses that it can reply', () => {
  const statuses = (path: string, method = 'get') => Object.keys(document.paths[path][method].responses).join(' ')
  expect(statuses('/integrity')).toBe('200 403 500 503') // it reads nothing of the request
  expect(statuses('/stats/global')).toBe('200 403 404 422 500 503')
  expect(statuses('/users/{user_id}/stats')).toBe('200 400 403 404 422 500 503')
  expect(statuses('/users/{user_id}/rank')).toBe('200 400 403 404 422 500 503')
  expect(statuses('/jobs/{id}', 'delete')).toBe('200 400 401 403 404 409 415 429 500 503') // no body
})

test('a summary is plain text: the page shows its backticks as they are', () => {
  const { paths = {} } = openApiDocument(routes)
  const summaries = Object.values(paths).flatMap((methods) =>
    Object.values(methods ?? {}).map(({ summary }) => summary),
  )
  expect(summaries.length).toBe(routes.length)
  expect(summaries.filter((summary) => summary.includes('`'))).toEqual([])
})

test('Redocly finds nothing in the document, by its recommended rules', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'openapi-')) // without a configuration, and without an update of ours
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const env = { PATH: process.env['PATH'], REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const manifest = createRequire(import.meta.url).resolve('@redocly/cli/package.json')
  const { bin } = z.object({ bin: z.object({ redocly: z.string() }) }).parse(JSON.parse(readFileSync(manifest, 'utf8')))
  const args = [join(manifest, '..', bin.redocly), 'lint', '--extends=recommended-strict', '--format=json', file]
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd, env, encoding: 'utf8' })
  const report = z.object({ problems: z.array(z.object({ ruleId: z.string(), message: z.string() })) })
  expect([report.parse(JSON.parse(stdout || stderr)).problems]).toEqual([[]])
})

const withToken = [{ bearer: [] }, { basic: [] }]

test('an operation names the schemes that its right needs, and an open one says that it is', () => {
  const wanted = { numbers: [], orders: [...withToken, {}], admin: withToken }
  for (const route of routes) {
    const { security } = document.paths[route.path][route.method]
    expect([route.path, security]).toEqual([route.path, wanted[rightOf(route)]])
  }
})

test('every write says that it takes no type but JSON', () => {
  for (const { writes, method, path } of routes) {
    if (writes) expect([path, document.paths[path][method].responses['415'] !== undefined]).toEqual([path, true])
  }
})

test('what a request may leave out, since it has a default, is not required', () => {
  const wrong: string[] = []
  const look = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    const { required, properties, in: place, schema } = node as Record<string, Record<string, object>>
    if (Array.isArray(required))
      wrong.push(...required.filter((name) => 'default' in (properties?.[name] ?? {})).map((name) => `${path}.${name}`))
    if (place && schema && 'default' in schema && required) wrong.push(path)
    for (const [key, value] of Object.entries(node)) look(value, `${path}.${key}`)
  }
  look(document, '')
  expect(wrong).toEqual([])
})

test('the API accepts the request of every example; only what it names by an id is not there', async () => {
  await using api = await openTestApi({ ADMIN_TOKEN: adminToken })
  for (const { method, path, status = 200 } of routes) {
    const { params = {}, query = {}, body } = exampleOf({ method, path }) ?? {}
    const place = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(params[name] ?? ''))
    const search = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, `${value}`]),
    )
    const response = await fetch(`${api.url}${place}?${search}`, {
      method: method.toUpperCase(),
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const isUnknown = ['/{id}', '/users/{user_id}', '/undos/{name}'].some((end) => path.endsWith(end))
    const isRefused = method === 'post' && path.startsWith('/undos') // there is no archive
    const wanted = isUnknown ? 404 : isRefused ? 409 : status
    expect([method, path, response.status, await response.text()]).toEqual([method, path, wanted, expect.anything()])
  }
})
