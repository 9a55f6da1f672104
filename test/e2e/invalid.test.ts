import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { openHoldingProxy } from '../support/holding-proxy.ts'
import { rejectBodies } from '../support/invalid.ts'
import { ended, send } from '../support/jobs.ts'
import { spawnOrders } from '../support/process.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { appOn, type Env, emptyRedis, envOf } from '../support/world.ts'

/** An editor that saves a text, or what a line of shell does to the file `$1`. */
function editor(script: string): { env: Env } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'editor-'))
  const file = join(folder, 'editor.sh')
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o700)
  return {
    env: { VISUAL: `${file} --wait`, EDITOR: 'false' },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'given-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

/** The file is the last argument: the editor has an option of its own. */
const saves = (text: string): string => `printf '%s' '${text}' > "$2"`

async function output(words: readonly string[], env: Env): Promise<string> {
  await using command = runOrders(words, env)
  const { code } = await command.exit()
  const text = command.stdout() + command.stderr()
  if (!words.includes('--json')) expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  return `${code} ${text}`
}

async function edited(id: string, env: Env): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await using command = spawnOrders(['invalid', 'edit', id], env)
  const { code } = await command.exit()
  return { code, stdout: command.stdout(), stderr: command.stderr() }
}

test('orders invalid lists by code and user, shows, retries and discards, with the audit entries of the API', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const env = envOf(world.url)
  const long = `user_${'x'.repeat(200)}`
  const [first = '', second = '', third = ''] = await rejectBodies(app, [
    `{"user_id":"${long}","order_id":"o\\u001b[2J","order_value":-1}`,
    '{"user_id":"ann","order_id":12345678901234567890,"order_value":-1}',
    '{"user_id":"ann"',
  ])
  expect(await output(['invalid', '--user', 'unknown'], env)).toBe('0 There is no such invalid order.\n')
  const listed = await output(['invalid'], env)
  expect(listed.split('\n').map((line) => line.split(' ')[0])).toEqual(['0', third, second, first, ''])
  expect(listed).toContain('o\\u{1b}[2J')
  expect(listed).toContain('12345678901234567890')
  expect(await output(['invalid', 'list', '--code', 'malformed-json'], env)).toMatch(
    new RegExp(`^0 id .*\\n${third} .*\\n$`),
  )
  expect((await output(['invalid', '--user', 'ann', '--limit', '1'], env)).split('\n')).toHaveLength(3)
  const json = (await output(['invalid', '--json', '--user', long], env)).slice(2)
  expect(JSON.parse(json)).toMatchObject({ id: first, code: 'bad-value', order: { user_id: long } })
  const shown = await output(['invalid', 'show', second], env)
  expect(shown).toMatch(/^0 id {8}\d+-\d\ncode {6}bad-value\nrejected .*\nattempts {2}1\norder_value must be between/)
  expect(shown).toContain('\n  "order_id": 12345678901234567890,\n')
  expect(await output(['invalid', 'show', '1-1'], env)).toMatch(/^1 There is no such entry/)
  expect(await output(['invalid', 'show', 'x'], env)).toMatch(/^2 orders invalid: the id is "x"/)

  expect(await output(['invalid', 'discard', third], env)).toMatch(/^2 .*--reason/)
  expect(await output(['invalid', 'discard', third, '--reason', 'a test'], env)).toBe(
    `0 Invalid order ${third} is discarded.\n`,
  )
  expect(await output(['invalid', 'discard', third, '--reason', 'a test'], env)).toMatch(/^1 There is no such entry/)
  await using running = runOrders(['run', 'validate', 'api', 'jobs'], env)
  await running.started()
  const url = await running.apiUrl()
  const retried = await output(['invalid', 'retry', second], env)
  expect(retried).toMatch(/^0 Queued\. .*\norders jobs show replay-/)
  expect(await ended(url, retried.trim().split(' ').at(-1))).toMatchObject({
    result: { sent: 1, rejected: { 'bad-value': 1 } },
  })

  const { status } = await send(
    `${url}/orders/invalid/${first}`,
    'DELETE',
    { reason: 'a test' },
    { 'x-operator': 'ann' },
  )
  expect(status).toBe(200)
  const audit = (await output(['audit', '--json'], env))
    .slice(2)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const [byApi, byRetry, byCommand] = audit
  expect(audit).toHaveLength(3) // what was refused has none
  expect(byRetry).toMatchObject({ action: 'replay', what: { body: { ids: [second] } } })
  expect({ ...byCommand, what: { ...byCommand.what, id: first } }).toEqual({
    ...byApi,
    ...{ id: byCommand.id, ts: byCommand.ts, by: byCommand.by, outcome: 'done' },
  })
})

test('orders invalid edit sends what was saved in place of the order, and removes its file', async () => {
  await using world = await emptyRedis()
  const env = envOf(world.url)
  const [id = ''] = await rejectBodies(appOn(world.redis), ['{"user_id":"ann","order_id":"o","order_value":-1}'])
  await using running = runOrders(['run', 'validate', 'api', 'jobs'], env)
  await running.started()
  using changing = editor(`cp "$2" "$0.seen"; echo "$2" > "$0.file"; sed -i 's/-1/17.5/' "$2"`)
  const { code, stdout } = await edited(id, { ...env, ...changing.env })
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^Queued\. .*\norders jobs show reprocess-.*\n$/)])
  const program = changing.env['VISUAL']?.split(' ')[0]
  expect(readFileSync(`${program}.seen`, 'utf8')).toBe(
    '{\n  "user_id": "ann",\n  "order_id": "o",\n  "order_value": -1\n}\n',
  )
  expect(existsSync(dirname(readFileSync(`${program}.file`, 'utf8').trim()))).toBe(false)
  const job = stdout.trim().split(' ').at(-1)
  expect(await ended(await running.apiUrl(), job)).toMatchObject({ verdict: { verdict: 'admitted' } })
  const audit = JSON.parse((await output(['audit', '--json'], env)).slice(2).split('\n')[0] ?? '')
  expect(audit).toMatchObject({
    action: 'edit',
    what: { id, body: { user_id: 'ann', order_value: 17.5 } },
    outcome: 'done',
  })
  await using trace = runOrders(['trace', 'o', '--user', 'ann'], env)
  await trace.exit()
  expect(trace.stdout()).toMatch(
    new RegExp(
      `At \\S+, \\d+ s ago, \\S+ sent it in place of the invalid order ${id}, by job ${job}: the verdict was admitted\\.`,
    ),
  )
  expect(await edited(id, { ...env, ...changing.env })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching('no such entry'),
  })
})

test('orders invalid edit sends what is given by --body, --file or standard input, as what an editor saves', async () => {
  await using world = await emptyRedis()
  const env = { ...envOf(world.url), VISUAL: 'false' }
  const bodies = [1, 2, 3].map((order) => `{"user_id":"ann","order_id":"o${order}","order_value":-1}`)
  const ids = await rejectBodies(appOn(world.redis), bodies)
  using folder = temporaryFolder()
  const file = join(folder.path, 'order.json')
  const right = bodies.map((body) => body.replace('-1', '17.5'))
  writeFileSync(file, `${right[1]}\n`)
  await using running = runOrders(['run', 'validate', 'api', 'jobs'], env)
  await running.started()
  const url = await running.apiUrl()
  const [inPlace, byFile] = [
    await output(['invalid', 'edit', ids[0] ?? '', '--body', right[0] ?? ''], env),
    await output(['invalid', 'edit', ids[1] ?? '', '--file', file], env),
  ]
  const input = `${right[2]}\n`
  await using piped = spawnOrders(['invalid', 'edit', ids[2] ?? '', '--file', '-', '--json'], env, { input })
  expect(await piped.exit()).toEqual({ code: 0, signal: null })
  const jobs = [inPlace, byFile].map((text) => text.trim().split(' ').at(-1))
  for (const job of [...jobs, JSON.parse(piped.stdout()).job_id]) {
    expect(await ended(url, job)).toMatchObject({ verdict: { verdict: 'admitted' } })
  }
  const audit = (await output(['audit', '--json'], env)).slice(2).trim().split('\n')
  expect(audit.map((line) => JSON.parse(line)).toReversed()).toMatchObject(
    ids.map((id, at) => ({ action: 'edit', what: { id, body: { order_id: `o${at + 1}`, order_value: 17.5 } } })),
  )
})

test('orders invalid edit sends nothing of a text that is given and not JSON, given twice, or cannot be read', async () => {
  await using world = await emptyRedis()
  const env = envOf(world.url)
  const [id = ''] = await rejectBodies(appOn(world.redis), ['{"user_id":"ann"}'])
  const edit = (...words: string[]): Promise<string> => output(['invalid', 'edit', id, ...words], env)
  expect(await edit('--body', '{"user_id":')).toBe('1 The text is not JSON. Nothing was sent.\n')
  expect(await edit('--body', '[1]')).toBe('1 The text is not a JSON object. Nothing was sent.\n')
  expect(await edit('--file', '/no/such')).toMatch(
    /^1 \/no\/such cannot be read: ENOENT[^.]*\.\s+Nothing\s+was\s+sent\.\n$/,
  )
  expect(await edit('--file', 'a', '--body', '{}')).toMatch(/^2 .* two texts: give one\.\n$/)
  expect(await output(['invalid', 'retry', id, '--body', '{}'], env)).toMatch(/^2 .* are options of edit\.\n$/)
  expect(await world.redis.keys('{jobs}:*')).toEqual([])
})

test.each([
  ['with a text that is no JSON', saves('{"user_id":'), 'The text is not JSON. Nothing was sent.', '{"user_id":'],
  ['with JSON that is no object', saves('[1]'), 'The text is not a JSON object. Nothing was sent.', '[1]'],
  ['with an error', `${saves('{}')}; exit 3`, 'ended with 3. Nothing was sent.', '{}'],
])(
  'orders invalid edit sends nothing where the editor ends %s, and names the file that keeps the text',
  async (_, script, why, kept) => {
    await using world = await emptyRedis()
    const [id = ''] = await rejectBodies(appOn(world.redis), ['{"user_id":"ann"}'])
    using program = editor(script)
    const { code, stderr } = await edited(id, { ...envOf(world.url), ...program.env })
    expect(code).toBe(1)
    expect(stderr.replaceAll('\n', ' ')).toContain(why)
    const file = stderr.trim().split('\n').at(-1) ?? ''
    expect(readFileSync(file, 'utf8').trim()).toBe(kept)
    rmSync(dirname(file), { recursive: true })
    expect(await world.redis.keys('{jobs}:*')).toEqual([])
    expect(await world.redis.llen('invalid_orders')).toBe(1)
  },
)

test('orders invalid edit without a change sends nothing and leaves no file', async () => {
  await using world = await emptyRedis()
  const [id = ''] = await rejectBodies(appOn(world.redis), ['{"user_id":"ann"}'])
  using program = editor('echo "$2" > "$0.file"')
  expect(await edited(id, { ...envOf(world.url), ...program.env })).toEqual({
    ...{ code: 1, stdout: '' },
    stderr: 'Nothing was changed. Nothing was sent.\n',
  })
  const file = readFileSync(`${program.env['VISUAL']?.split(' ')[0]}.file`, 'utf8').trim()
  expect(existsSync(dirname(file))).toBe(false)
  expect(await world.redis.keys('{jobs}:*')).toEqual([])
})

test.each(['edit', 'retry'])(
  'orders invalid %s that gets no reply names the job, which may be there',
  async (action) => {
    await using world = await emptyRedis()
    const { port, pathname } = new URL(world.url)
    await using proxy = await openHoldingProxy(Number(port))
    const env = envOf(`redis://127.0.0.1:${proxy.port}${pathname}`)
    const [id = ''] = await rejectBodies(appOn(world.redis), ['{"user_id":"ann"}'])
    using program = editor(saves('{"user_id":"bob"}'))
    proxy.lose(action === 'edit' ? '"invalidId"' : '"dryRun":false,')
    await using command = spawnOrders(['invalid', action, id], { ...env, ...program.env })
    const { code } = await command.exit()
    const said = command.stderr().replaceAll('\n', ' ')
    const job = / orders jobs show (\S+) finds it if it was\./.exec(said)?.[1]
    expect([code, said]).toEqual([
      3,
      expect.stringMatching(/^Redis does not answer.* It is not known whether it was sent:/),
    ])
    expect(await world.redis.exists(`{jobs}:${job?.split('-')[0]}:${job}`)).toBe(1)
    if (action === 'edit') {
      const file = command.stderr().trim().split('\n').at(-1) ?? ''
      expect(readFileSync(file, 'utf8')).toBe('{"user_id":"bob"}')
      rmSync(dirname(file), { recursive: true })
    }
  },
)

test('orders invalid edit that is interrupted sends nothing, and names the file that keeps the text', async () => {
  await using world = await emptyRedis()
  const [id = ''] = await rejectBodies(appOn(world.redis), ['{"user_id":"ann"}'])
  using program = editor(`touch "$0.began"; until [ -e "$0.go" ]; do sleep 0.05; done; ${saves('{}')}`)
  const script = program.env['VISUAL']?.split(' ')[0]
  await using command = spawnOrders(['invalid', 'edit', id], { ...envOf(world.url), ...program.env })
  await until('the editor', () => existsSync(`${script}.began`))
  command.child.kill('SIGINT')
  writeFileSync(`${script}.go`, '')
  expect(await command.exit()).toEqual({ code: 130, signal: null })
  expect(command.stderr()).toContain('Interrupted. Nothing was sent.')
  const file = command.stderr().trim().split('\n').at(-1) ?? ''
  expect(readFileSync(file, 'utf8').trim()).toBe('{}')
  rmSync(dirname(file), { recursive: true })
  expect(await world.redis.keys('{jobs}:*')).toEqual([])
})
