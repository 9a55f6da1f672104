import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { type Config, readConfig } from '../../../src/config/config.ts'
import { variables } from '../../../src/config/variables.ts'
import { errorCodes } from '../../../src/errors.ts'
import { loadCommands } from '../../../src/ops/cli.ts'
import { parseCall } from '../../../src/ops/command.ts'
import { archiveRole, deployedRoles } from '../../support/deployed-roles.ts'
import { root } from '../../support/markdown.ts'
import { removeOnExit } from '../../support/on-exit.ts'
import { blocksOf, readPage } from '../../support/pages/blocks.ts'

const folder = join(root, 'deploy/systemd')
const roles = [...deployedRoles, archiveRole]
const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
const unit = 'orders-run@.service'
const page = 'docs/how-to/systemd.md'

/** Returns the values of a setting of the unit, in their order. */
const valuesOf = (name: string): string[] =>
  [...read(unit).matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value)

/** Returns the words that systemd starts for an instance: it replaces %i, %% and $$. */
function started(instance: string): string[] {
  const [line = ''] = valuesOf('ExecStart')
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  return words.map((word) =>
    word.replaceAll(/%[i%]/g, (found) => (found === '%i' ? instance : '%')).replaceAll('$$', '$'),
  )
}

/** Returns the configuration of a role: the example of this folder, with the file of its own that the page shows. */
function configOf(role: string): Config {
  const own = blocksOf(page).find(({ language, info }) => language === 'ini' && info === `/etc/orders/${role}.env`)
  return readConfig({ ...parseEnv(read('orders.env')), ...parseEnv(own?.text ?? '') })
}

test.each(
  roles.flatMap((role) => [
    [role, role],
    [`${role}.2`, role],
  ]),
)('orders-run@%s runs the role %s', async (instance, role) => {
  const [shell = '', flag = '', script = '', ...rest] = started(instance)
  const printed = execFileSync(shell, [flag, script.replace('exec node', 'exec printf "%s\\n"'), ...rest], {
    encoding: 'utf8',
  })
  const [entry, name, ...args] = printed.trim().split('\n')
  expect([entry, name, ...args]).toEqual(['src/ops/orders.js', 'run', role])
  const command = (await loadCommands()).find((one) => one.name === name)
  expect(command && parseCall(command, args)).toBeTruthy()
})

test('the page starts every role, and no other', () => {
  const lines = blocksOf(page).flatMap(({ language, text }) => (language === 'sh' ? text.split('\n') : []))
  const named = (pattern: RegExp): string[] =>
    lines.filter((line) => pattern.test(line)).flatMap((line) => line.match(/(?<=orders-run@)[\w-]+/g) ?? [])
  expect(new Set(named(/systemctl enable/))).toEqual(new Set(roles))
  expect(roles).toEqual(expect.arrayContaining(named(/systemctl|journalctl/)))
})

test('the example sets variables that exist, to values that a process accepts', () => {
  const names = Object.values(variables).map(({ name }) => name as string)
  expect(names).toEqual(expect.arrayContaining(Object.keys(parseEnv(read('orders.env')))))
  for (const role of roles) expect(configOf(role)).toMatchObject({ sqsQueueName: 'orders' })
})

test('each role but the API has a port of its own for its health', () => {
  const ports = roles.filter((role) => role !== 'api').map((role) => configOf(role).metricsPort)
  expect(ports).not.toContain(undefined)
  expect(new Set([...ports, configOf('api').apiPort]).size).toBe(roles.length)
})

test('systemd kills only a process that takes longer to stop than it may', () => {
  expect(valuesOf('KillSignal')).toEqual(['SIGTERM'])
  for (const role of deployedRoles) {
    const { stopGraceMs, drainMs } = configOf(role)
    expect(Number(valuesOf('TimeoutStopSec')[0]) * 1_000).toBeGreaterThan(Math.max(stopGraceMs, drainMs) + 2_000)
  }
})

test('systemd starts it again after every end but that of a wrong command line, however often', () => {
  expect(valuesOf('Restart')).toEqual(['always'])
  expect(valuesOf('RestartPreventExitStatus')).toEqual([String(errorCodes.ORD_USAGE.exitCode)])
  expect(valuesOf('StartLimitIntervalSec')).toEqual(['0'])
})

test('the script runs a command in the environment of a service', () => {
  const script = read('orders')
  expect(spawnSync('/bin/sh', ['-n', join(folder, 'orders')]).status).toBe(0)
  const [environment = ''] = valuesOf('Environment')
  for (const setting of environment.split(' ')) expect(script).toContain(`--setenv=${setting}`)
  expect(script).toContain(`--property=EnvironmentFile=${valuesOf('EnvironmentFile')[0]}`)
  expect(script).toContain(`--working-directory=${valuesOf('WorkingDirectory')[0]}`)
  expect(script).toContain(`--uid=${valuesOf('User')[0]} --gid=${valuesOf('Group')[0]}`)
})

test('the page names what the files are: where they go, and what they lead to', () => {
  const text = readPage(page)
  for (const file of ['orders-run@.service', 'orders.target', 'orders.env', '| `orders` |'])
    expect(text).toContain(file)
  expect(valuesOf('WorkingDirectory')).toEqual(['/opt/orders/current'])
  expect(valuesOf('EnvironmentFile')).toEqual(['/etc/orders/orders.env', '-/etc/orders/%i.env'])
  expect(text).toContain('/opt/orders/current')
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

test.each(hasSystemd ? ['orders.target', 'orders-run@bridge.service', 'orders-run@validate.2.service'] : [])(
  'systemd-analyze finds no fault in %s',
  (name) => {
    const copy = mkdtempSync(join(tmpdir(), 'orders-units-'))
    using _ = removeOnExit(copy)
    for (const file of [unit, 'orders.target']) cpSync(join(folder, file), join(copy, file))
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', name], {
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${copy}:` },
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  },
)
