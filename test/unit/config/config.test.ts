import { describe, expect, test } from 'vitest'
import { type Config, readConfig } from '../../../src/config/config.ts'
import { commonTable, configTables } from '../../../src/config/table.ts'
import { variables } from '../../../src/config/variables.ts'
import { OrdersError } from '../../../src/errors.ts'
import { safeUrl } from '../../../src/redis/endpoint.ts'

const queueNames =
  '1 to 76 letters, digits, hyphens or underscores, with .fifo at the end of a FIFO queue, or the ARN of a queue'

/** Returns the lines for a refused environment; none where it is accepted. */
function complaints(env: Record<string, string>): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof OrdersError)) throw error
    expect(error.code).toBe('ORD_CONFIG')
    return error.message.split('\n')
  }
}

describe('with an empty environment', () => {
  test.each<[keyof Config, unknown]>([
    ['awsEndpointUrl', undefined],
    ['awsRegion', 'us-east-1'],
    ['awsAccessKeyId', undefined],
    ['awsSecretAccessKey', undefined],
    ['sqsQueueName', 'orders'],
    ['redisHost', undefined],
    ['redisPort', undefined],
    ['redisUrl', undefined],
    ['apiPort', 8000],
  ])('%s is %s', (name, value) => {
    expect(readConfig({})[name]).toBe(value)
  })

  test('Redis is at localhost:6379', () => {
    expect(safeUrl(readConfig({}))).toBe('redis://localhost:6379')
  })
})

describe('a variable that is set', () => {
  test.each<[string, string, keyof Config, unknown]>([
    ['AWS_ENDPOINT_URL', 'http://localhost:4566', 'awsEndpointUrl', 'http://localhost:4566'],
    [
      'AWS_ENDPOINT_URL',
      'https://sqs.eu-west-1.amazonaws.com',
      'awsEndpointUrl',
      'https://sqs.eu-west-1.amazonaws.com',
    ],
    ['AWS_REGION', 'eu-central-1', 'awsRegion', 'eu-central-1'],
    ['SQS_QUEUE_NAME', 'my_orders-2', 'sqsQueueName', 'my_orders-2'],
    ['SQS_QUEUE_NAME', 'my_orders.fifo', 'sqsQueueName', 'my_orders.fifo'],
    ['SQS_CREATE_QUEUE', 'false', 'sqsCreateQueue', false],
    ['REDIS_HOST', 'redis.internal', 'redisHost', 'redis.internal'],
    ['REDIS_PORT', '6380', 'redisPort', 6380],
    ['REDIS_URL', 'redis://u:p@redis:6379/2', 'redisUrl', 'redis://u:p@redis:6379/2'],
    ['REDIS_URL', 'rediss://redis:6379', 'redisUrl', 'rediss://redis:6379'],
    ['ENVELOPES', 'auto', 'envelopes', new Set(['sns', 'eventbridge', 'cloudevents', 'base64', 'gzip', 's3'])],
    ['ENVELOPES', 'off', 'envelopes', new Set()],
    ['ENVELOPES', 'sns,gzip', 'envelopes', new Set(['sns', 'gzip'])],
    ['API_PORT', '9000', 'apiPort', 9000],
    ['API_PORT', '0', 'apiPort', 0],
    ['API_PORT', '65535', 'apiPort', 65_535],
  ])('%s=%s is taken', (variable, given, name, value) => {
    expect(readConfig({ [variable]: given })[name]).toEqual(value)
  })

  test('both credentials are taken', () => {
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }
    expect(readConfig(env)).toMatchObject({ awsAccessKeyId: 'id', awsSecretAccessKey: 'secret' })
  })

  test('to the empty string counts as unset', () => {
    const empty = Object.values(variables).map(({ name }) => [name, ''])
    expect(readConfig(Object.fromEntries(empty))).toEqual(readConfig({}))
  })

  test('that is none of ours changes nothing', () => {
    expect(readConfig({ PATH: '/bin', API_PORTS: 'x', api_port: '1' })).toEqual(readConfig({}))
  })

  test.each([
    [{ REDIS_HOST: 'redis.internal' }, 'redis://redis.internal:6379'],
    [{ REDIS_PORT: '6380' }, 'redis://localhost:6380'],
    [{ REDIS_HOST: '10.0.0.7', REDIS_PORT: '1' }, 'redis://10.0.0.7:1'],
    [{ REDIS_HOST: '::1', REDIS_PORT: '6380' }, 'redis://[::1]:6380'],
    [{ REDIS_URL: 'rediss://a:1', REDIS_HOST: 'b', REDIS_PORT: '2' }, 'rediss://a:1'],
  ])('%j: Redis is at %s', (env, url) => {
    expect(safeUrl(readConfig(env))).toBe(url)
  })
})

describe('a bad value', () => {
  test.each([
    ['AWS_ENDPOINT_URL', 'localhost:4566', 'an http:// or https:// URL'],
    ['AWS_ENDPOINT_URL', 'ftp://localhost', 'an http:// or https:// URL'],
    ['AWS_ENDPOINT_URL', 'http://', 'an http:// or https:// URL'],
    ['AWS_REGION', 'us east 1', 'a region name such as us-east-1'],
    ['SQS_QUEUE_NAME', 'my orders', queueNames],
    ['SQS_QUEUE_NAME', 'orders.txt', queueNames],
    ['SQS_QUEUE_NAME', `${'x'.repeat(72)}.fifo`, queueNames],
    ['SQS_QUEUE_NAME', 'arn:aws:sns:us-east-1:123456789012:orders', queueNames],
    ['SQS_QUEUE_NAME', 'x'.repeat(77), queueNames],
    ['REDIS_HOST', 'redis://localhost', 'a host name or address'],
    ['REDIS_HOST', 'my host', 'a host name or address'],
    ['REDIS_PORT', '0', 'a port number from 1 to 65535'],
    ['REDIS_PORT', '65536', 'a port number from 1 to 65535'],
    ['REDIS_URL', 'localhost:6379', 'a redis:// or rediss:// URL, or the path of a socket'],
    ['REDIS_URL', 'http://localhost:6379', 'a redis:// or rediss:// URL, or the path of a socket'],
    ['REDIS_URL', 'redis://localhost:99999', 'a redis:// or rediss:// URL, or the path of a socket'],
    ['REDIS_URL', 'redis:localhost', 'a redis:// or rediss:// URL, or the path of a socket'],
    ['API_PORT', 'http', 'a port number from 0 to 65535'],
    ['API_PORT', '65536', 'a port number from 0 to 65535'],
    ['API_PORT', '-1', 'a port number from 0 to 65535'],
    ['API_PORT', '80.5', 'a port number from 0 to 65535'],
    ['API_PORT', '8e3', 'a port number from 0 to 65535'],
    ['API_PORT', ' 8000', 'a port number from 0 to 65535'],
    ['API_PORT', '0x50', 'a port number from 0 to 65535'],
    ['API_PORT', '8000\n', 'a port number from 0 to 65535'],
  ])('%s=%j is answered with what was given and what is expected', (name, given, expected) => {
    expect(complaints({ [name]: given })).toEqual([`${name} is ${JSON.stringify(given)}: expected ${expected}.`])
  })

  test('is a way to name the queue next to another, or to create what is named by more than its name', () => {
    const arn = 'arn:aws:sqs:eu-west-1:123456789012:theirs'
    const url = 'https://sqs.eu-west-1.amazonaws.com/123456789012/theirs'
    expect(complaints({ SQS_QUEUE_NAME: 'orders', SQS_QUEUE_URL: url })).toEqual([
      'SQS_QUEUE_NAME is "orders": expected none with SQS_QUEUE_URL.',
    ])
    for (const named of [{ SQS_QUEUE_NAME: arn }, { SQS_QUEUE_URL: url }]) {
      expect(complaints({ ...named, SQS_CREATE_QUEUE: 'false' } as Record<string, string>)).toEqual([])
      expect(complaints({ ...named, SQS_CREATE_QUEUE: 'true' } as Record<string, string>)).toEqual([
        'SQS_CREATE_QUEUE is "true": expected none with SQS_QUEUE_URL or an ARN: such a queue is never created.',
      ])
    }
  })

  test('has a line of its own next to others, whatever lines it has itself', () => {
    const lines = complaints({ API_PORT: 'x\ny', AWS_REGION: 'US', REDIS_PORT: '-', REDIS_HOST: 'fine' })
    expect(lines).toEqual([
      'AWS_REGION is "US": expected a region name such as us-east-1.',
      'REDIS_PORT is "-": expected a port number from 1 to 65535.',
      'API_PORT is "x\\ny": expected a port number from 0 to 65535.',
    ])
  })

  test('of any variable is one line that begins with its name', () => {
    const nonsense = '\t no such value! \n'
    const refused = Object.values(variables)
      .map(({ name }) => name)
      .filter((name) => !isCredential(name) && name !== 'ADMIN_TOKEN' && complaints({ [name]: nonsense }).length > 0)
    expect(refused).toEqual(expect.arrayContaining(['AWS_ENDPOINT_URL', 'REDIS_URL', 'BATCH_RECORDS', 'LOG_LEVEL']))
    const lines = complaints(Object.fromEntries(refused.map((name) => [name, nonsense])))
    expect(lines.map((line) => line.split(' is "\\t no such value! \\n": expected ')[0])).toEqual(refused)
  })
})

describe('CURRENCY', () => {
  test('is the code of a currency, and nothing by default', () => {
    expect([readConfig({}).currency, readConfig({ CURRENCY: 'CHF' }).currency]).toEqual([
      undefined,
      { code: 'CHF', decimals: 2 },
    ])
  })

  test.each([
    ['EURO', 'the code of a currency with minor units by ISO 4217, such as EUR'],
    ['€', 'the code of a currency with minor units by ISO 4217, such as EUR'],
    ['XAU', 'the code of a currency with minor units by ISO 4217, such as EUR'],
    ['XXX', 'the code of a currency with minor units by ISO 4217, such as EUR'],
    ['usd', 'USD, in capitals'],
  ])('%s is refused with what to set', (given, expected) => {
    expect(complaints({ CURRENCY: given })).toEqual([`CURRENCY is "${given}": expected ${expected}.`])
  })
})

describe('ADMIN_TOKEN', () => {
  test.each(['hunter2', '0123456789abcde', '0123456789 abcdef', '0123456789abcdef\n'])(
    '%j is refused, and not printed',
    (token) => {
      expect(complaints({ ADMIN_TOKEN: token })).toEqual([
        'ADMIN_TOKEN is "***": expected a token of at least 16 characters without white space, such as openssl rand -hex 16 prints.',
      ])
    },
  )

  test('of 16 characters is taken', () => {
    expect(readConfig({ ADMIN_TOKEN: '0123456789abcdef' }).adminTokens).toEqual(['0123456789abcdef'])
  })

  test('may be several, each of 16 characters', () => {
    const [one, two] = ['0123456789abcdef', 'fedcba9876543210']
    expect(readConfig({ ADMIN_TOKEN: `${one},${two}` }).adminTokens).toEqual([one, two])
    for (const token of [`${one},short`, `${one},`, `,${one}`, `${one}, ${two}`])
      expect(complaints({ ADMIN_TOKEN: token })).toEqual([
        'ADMIN_TOKEN is "***": expected tokens of at least 16 characters each, separated by one comma, without white space.',
      ])
  })
})

describe('half of the credentials', () => {
  test.each([
    ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
  ])('%s without %s is refused, also where the other is empty', (set, missing) => {
    const reported = [`${missing} is not set: expected together with ${set}.`]
    expect(complaints({ [set]: 'hunter2' })).toEqual(reported)
    expect(complaints({ [set]: 'hunter2', [missing]: '' })).toEqual(reported)
  })

  test('is a line next to the bad values', () => {
    expect(complaints({ AWS_ACCESS_KEY_ID: 'id', API_PORT: 'x' })).toHaveLength(2)
  })
})

describe('a password', () => {
  test.each([
    ['a port too high', 'redis://user:hunter2@localhost:99999'],
    ['the wrong protocol', 'http://:hunter2@localhost'],
    ['the second of two nodes', 'redis://:other@a:1,http://:hunter2@b:2'],
    ['an @ in it', 'http://user:an@hunter2@localhost'],
    ['a slash in it', 'redis://user:a/hunter2@localhost:6379'],
    ['no protocol', 'user:hunter2@localhost:6379'],
    ['one slash only', 'http:/user:hunter2@localhost:6379'],
  ])('in a REDIS_URL refused for %s is not printed', (_, url) => {
    const lines = complaints({ REDIS_URL: url })
    expect(lines).toEqual([expect.stringMatching(/^REDIS_URL is ".*": expected /)])
    expect(lines.join()).not.toContain('hunter2')
  })

  test('in a refused AWS_ENDPOINT_URL is not printed', () => {
    const lines = complaints({ AWS_ENDPOINT_URL: 'ftp://key:hunter2@localhost' })
    expect(lines).toEqual([expect.stringMatching(/^AWS_ENDPOINT_URL is ".*localhost": expected an http/)])
    expect(lines.join()).not.toContain('hunter2')
  })

  test.each([
    'redis://user:hunter2@localhost:6379',
    'redis://:an@hunter2@localhost:6379',
    'redis://hunter2@localhost:6379',
  ])('in an accepted REDIS_URL is not in the text that says where Redis is (%s)', (url) => {
    expect(safeUrl(readConfig({ REDIS_URL: url }))).toSatisfy(
      (text: string) => text.endsWith('localhost:6379') && !text.includes('hunter2'),
    )
  })
})

const cellsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((row) => row.split('|').map((cell) => cell.trim()))

describe('commonTable', () => {
  const rows = cellsOf(commonTable()).slice(2)
  const names = Object.values(variables).map(({ name }) => `\`${name}\``)

  test('lists ten variables that exist, each with a reason to set it and its default', () => {
    expect(rows).toHaveLength(10)
    for (const [, name, when, fallback] of rows) {
      expect(names).toContain(name)
      expect([when, fallback]).not.toContain('')
    }
  })

  test('lists those that the tables of all variables mark', () => {
    const marked = cellsOf(configTables()).filter((row) => row[1]?.startsWith('**'))
    expect(marked.map((row) => row[1]?.replaceAll('*', '')).toSorted()).toEqual(rows.map((row) => row[1]).toSorted())
  })
})

describe('configTables', () => {
  const heads = ['variable', '---']
  const cells = cellsOf(configTables()).filter((row) => !heads.includes(row[1] ?? ''))

  test('lists each variable once', () => {
    const names = cells.map((row) => row[1]?.replaceAll('*', ''))
    expect(names).toEqual(Object.values(variables).map(({ name }) => `\`${name}\``))
    expect(new Set(names).size).toBe(names.length)
  })

  test('has five cells in each row, none of them empty but the last title', () => {
    for (const row of cells) expect(row).toHaveLength(7)
    for (const row of cells) expect(row.slice(1, 6)).not.toContain('')
  })

  test('says of each variable what a refused value is answered with', () => {
    const allowed = cells.map((row) => row[4])
    expect(allowed).toEqual(Object.values(variables).map(({ expected }) => expected))
  })

  test.each([
    ['AWS_REGION', '`us-east-1`'],
    ['SQS_QUEUE_NAME', '`orders`'],
    ['REDIS_PORT', '`6379`'],
    ['API_PORT', '`8000`'],
    ['REDIS_HOST', '`localhost` for `orders run`; local emulator for `orders start`'],
    ['AWS_ENDPOINT_URL', 'real AWS for `orders run`; local emulator for `orders start`'],
  ])('%s: %s', (name, fallback) => {
    expect(cells.find((row) => row[1]?.replaceAll('*', '') === `\`${name}\``)?.[3]).toBe(fallback)
  })
})

function isCredential(name: string): boolean {
  return name.startsWith('AWS_') && name.includes('ACCESS_KEY')
}
