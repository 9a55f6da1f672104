import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RulesetDefinition, Spectral } from '@stoplight/spectral-core'
import { oas } from '@stoplight/spectral-rulesets'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { rightOf } from '../../../../src/api/http/route.ts'
import { routes } from '../../../../src/api/server.ts'

// docs.test.ts holds it together with the code.
const file = join(import.meta.dirname, '../../../../docs/openapi.json')
const document = JSON.parse(readFileSync(file, 'utf8'))

test('Spectral finds nothing in the document, by all of its rules but one', async () => {
  const spectral = new Spectral()
  // An address of its operators is not for the code to know.
  spectral.setRuleset({ extends: [[oas as RulesetDefinition, 'all']], rules: { 'contact-properties': 'off' } })
  const found = await spectral.run(document)
  expect(found.map(({ code, message, path }) => `${code} at ${path.join('.')}: ${message}`)).toEqual([])
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
