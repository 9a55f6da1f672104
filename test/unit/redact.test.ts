import { describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { variables } from '../../src/config/variables.ts'
import { messageOf, OrdersError } from '../../src/errors.ts'
import { endpointOf } from '../../src/ingest/sqs/endpoint.ts'
import { redactUrl, redactUrls } from '../../src/redact.ts'
import { safeUrl } from '../../src/redis/endpoint.ts'

describe('redactUrl', () => {
  test.each([
    ['http://localhost:4566', 'http://localhost:4566'],
    ['http://localhost:4566/', 'http://localhost:4566/'],
    ['https://sqs.example/path', 'https://sqs.example/path'],
    ['http://hans:hunter2@localhost:4566', 'http://***@localhost:4566'],
    ['http://hans@localhost', 'http://***@localhost'],
    ['http://:hunter2@localhost', 'http://***@localhost'],
    ['http://localhost/?token=hunter2', 'http://localhost/?***'],
    ['http://localhost/in#hunter2', 'http://localhost/in?***'],
    ['http://hans:1/hunter2@localhost', '***@localhost'],
    ['http://hans:1/hunter2%40localhost', '***@localhost'],
    ['redis://hans:1?hunter2@localhost', '***@localhost'],
    ['redis://hans:1#hunter2@localhost', '***@localhost'],
    ['http://hans:hunter2@local host', '***@local host'],
    ['http://hans:hunter2', 'http://hans:***'],
    ['http:/hans:hunter2', 'http:/hans:***'],
    ['http:\\\\hans:hunter2@localhost', 'http://***@localhost'],
    ['//hans:hunter2@localhost', '***@localhost'],
    ['redis://hans:hunter2@a:1,redis://hans:hunter2@b:2', '***@b:2'],
    ['localhost:4566', 'localhost:4566'],
    ['orders', 'orders'],
  ])('%s is shown as %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown)
  })
})

test('each URL in a text of others is shown so', () => {
  expect(redactUrls('no http://hans:hunter2@a/x?k=hunter2, nor "https://b/?hunter2": see file:///src/a.ts:1:2')).toBe(
    'no http://***@a/x?*** nor "https://b/?***": see file:///src/a.ts:1:2',
  )
})

test('the message of an error of others is one line without the passwords in it; our own stay as they are', () => {
  expect(messageOf(new TypeError('no\n  http://hans:hunter2@a'))).toBe('no http://***@a')
  expect(messageOf(new OrdersError('ORD_CONFIG', 'one\ntwo'))).toBe('one\ntwo')
})

describe('of no variable is a user, password or secret printed', () => {
  const names = Object.values(variables).map(({ name }) => name)
  const values = [
    'http://hans:hunter2@127.0.0.1:1',
    'http://hans:hunter2@127.0.0.1:1/?token=hunter2#hunter2',
    'http://hans:1/hunter2@127.0.0.1:1',
    'http://hans:hunter2@ 127.0.0.1',
    'http:/hans:hunter2',
    'http://127.0.0.1/in?hunter2',
    'redis://hans:hunter2@127.0.0.1:1/x',
    'redis://hans:1/hunter2@127.0.0.1',
    'redis://hans:hunter2@127.0.0.1:99999,redis://hans:hunter2@127.0.0.1',
    'hans:hunter2@127.0.0.1:1',
  ]
  test.each(names)('%s', (name) => {
    for (const value of values) expect(printedOf({ [name]: value })).not.toMatch(/hans.*@|hunter2/)
  })

  test.each(names.filter((name) => /TOKEN|PASSWORD|SECRET/.test(name)))('%s, whatever it is', (name) => {
    for (const value of ['hunter2', 'hunter2 hunter2', 'hunter2\n'])
      expect(printedOf({ [name]: value })).not.toContain('hunter2')
  })

  /** Returns what is printed about a configuration: why it is refused, or its addresses. */
  function printedOf(env: Record<string, string>): string {
    try {
      const config = readConfig(env)
      return `${endpointOf(config)} ${safeUrl(config)}`
    } catch (error) {
      return messageOf(error)
    }
  }
})
