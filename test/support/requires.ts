import { spawnSync } from 'node:child_process'
import { inject, type TestContext } from 'vitest'
import { chromiumPath } from './chromium.ts'

/** Skips a test, and says so, where the machine lacks a real part; under CI nothing may be skipped, so there it fails. */
export function requirePart(context: TestContext, there: boolean, what: string): void {
  if (there) return
  if (process.env['CI'] === 'true') throw new Error(`CI needs ${what}.`)
  context.skip(`needs ${what}`)
}

let redisServer: boolean | undefined

export function hasRedisServer(): boolean {
  redisServer ??= spawnSync('redis-server', ['--version']).status === 0
  return redisServer
}

/** For tests that kill or configure a redis-server of their own. */
export function requireRedisServer(context: TestContext): void {
  requirePart(context, hasRedisServer(), 'redis-server on the PATH')
}

/** For tests of TLS. A redis-server without it stumbles over the first line here already. */
export function requireTls(context: TestContext): void {
  requireRedisServer(context)
  const input = 'tls-auth-clients no\nno-such-line\n'
  const { stderr, stdout } = spawnSync('redis-server', ['-'], { input, encoding: 'utf8' })
  requirePart(context, !`${stdout}${stderr}`.includes("'tls-auth-clients no'"), 'a redis-server that speaks TLS')
  requirePart(context, spawnSync('openssl', ['version']).status === 0, 'openssl on the PATH')
}

/** For tests of what the emulator cannot do. */
export function requireRealRedis(context: TestContext): void {
  requirePart(context, inject('redisUrl') !== undefined, 'a real Redis')
}

export function requireChromium(context: TestContext): void {
  requirePart(context, chromiumPath !== undefined, "Debian's chromium")
}
