import { expect, test } from 'vitest'
import { howToGetRedis } from '../../../../src/ops/local/redis-program.ts'

test.each([
  ['win32', 'set REDIS_URL to a Redis in Docker or WSL'],
  ['darwin', 'install redis-server or set REDIS_URL'],
  ['linux', 'install redis-server or set REDIS_URL'],
] as const)('on %s the way to a real Redis is to %s', (platform, way) => {
  expect(howToGetRedis(platform)).toBe(way)
})
