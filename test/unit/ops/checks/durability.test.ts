import { describe, expect, test } from 'vitest'
import type { DeleteAfter } from '../../../../src/config/variables/bridge.ts'
import { type DurabilityFacts, decideProof } from '../../../../src/ingest/proof/proof.ts'
import { durability } from '../../../../src/ops/checks/durability.ts'
import { serviceAt } from '../../../../src/redis/service.ts'

const everysec: DurabilityFacts = {
  file: 'on',
  writesFile: true,
  fsync: 'everysec',
  syncsWhileRewriting: true,
  isReplica: false,
  waitaof: true,
  wait: true,
}
/** A service that hides INFO and CONFIG. */
const hidden: DurabilityFacts = { ...everysec, file: 'hidden', fsync: undefined, waitaof: false }
const off: DurabilityFacts = { ...everysec, file: 'off' }

const hosts = {
  memorydb: 'clustercfg.orders.abc123.memorydb.us-east-1.amazonaws.com',
  elasticache: 'master.orders.abc123.use1.cache.amazonaws.com',
  serverless: 'orders-abc123.serverless.use1.cache.amazonaws.com',
}

const fsync: DeleteAfter = { kind: 'fsync' }
const write: DeleteAfter = { kind: 'write' }
const onReplicas: DeleteAfter = { kind: 'replicas', replicas: 2 }

function said(wanted: DeleteAfter | undefined, facts: DurabilityFacts, host = '10.0.0.3'): string {
  const { level, found } = durability({ wanted, facts, proof: decideProof(wanted, facts), service: serviceAt(host) })
  return `${level}: ${found}`
}

describe('the guarantee of a message that is deleted from SQS', () => {
  const once = 'ok: a message is deleted from SQS once'
  const inForce = '`write` is in force'
  test.each([
    [undefined, everysec, `${once} its order is on the disk of Redis (WAITAOF)`],
    [fsync, everysec, `${once} its order is on the disk of Redis (WAITAOF)`],
    [
      fsync,
      { ...everysec, waitaof: false },
      `${once} its order is on the disk of Redis (2 s after the write, if no fsync is outstanding)`,
    ],
    [fsync, { ...hidden, waitaof: true }, `${once} its order is on the disk of Redis (WAITAOF)`],
    [
      fsync,
      { ...everysec, fsync: 'always' },
      `${once} Redis has replied: nothing is lost, as fsync comes before the reply`,
    ],
    [
      fsync,
      { ...everysec, fsync: 'always', syncsWhileRewriting: false },
      `${once} its order is on the disk of Redis (WAITAOF)`,
    ],
    [write, everysec, `${once} Redis has replied: up to a second of orders can be lost`],
    [
      write,
      { ...everysec, fsync: 'no' },
      `${once} Redis has replied: orders that the system has not written to disk yet can be lost`,
    ],
    [
      write,
      { ...everysec, fsync: undefined },
      `${once} Redis has replied: orders that are not on its disk yet can be lost`,
    ],
    [onReplicas, hidden, `${once} 2 replicas have its order (WAIT)`],
    [onReplicas, { ...hidden, wait: false }, 'error: SQS_DELETE_AFTER=replicas:2, but Redis refuses WAIT'],
    [undefined, { ...everysec, fsync: 'no' }, 'error: appendfsync no'],
    [undefined, { ...everysec, fsync: 'no', waitaof: false }, 'warning: appendfsync no'],
    [fsync, { ...everysec, fsync: 'no' }, 'error: appendfsync no'],
    [undefined, { ...everysec, writesFile: false }, 'error: the last write to the append-only file failed'],
    [undefined, off, `warning: no append-only file: ${inForce}`],
    [write, off, `ok: no append-only file: ${inForce}, as SQS_DELETE_AFTER says`],
    [fsync, off, 'error: SQS_DELETE_AFTER=fsync, but there is no append-only file'],
    [undefined, hidden, `warning: cannot see whether there is an append-only file: ${inForce}`],
    [write, hidden, `ok: cannot see whether there is an append-only file: ${inForce}, as SQS_DELETE_AFTER says`],
    [
      fsync,
      hidden,
      'error: SQS_DELETE_AFTER=fsync, but neither INFO nor WAITAOF says whether orders are on the disk of Redis',
    ],
  ] as const)('SQS_DELETE_AFTER %j on %j', (wanted, facts, sentence) => {
    expect(said(wanted, facts)).toBe(sentence)
  })

  test('MemoryDB keeps what it has acknowledged, and ElastiCache may not', () => {
    const durable = 'ok: MemoryDB: an acknowledged write is durable in several zones, and messages are deleted after it'
    for (const facts of [off, hidden]) expect(said(undefined, facts, hosts.memorydb)).toBe(durable)
    expect(said(write, hidden, hosts.memorydb)).toBe(durable)
    const elasticache = `ElastiCache can lose the last writes in a failover, unless its durability is sync: ${inForce}`
    expect(said(undefined, off, hosts.elasticache)).toBe(`warning: ${elasticache}`)
    expect(said(write, off, hosts.elasticache)).toBe(`ok: ${elasticache}, as SQS_DELETE_AFTER says`)
    expect(said(undefined, hidden, hosts.serverless)).toBe(
      `warning: ElastiCache Serverless keeps no durable log and can lose the last writes in a failover: ${inForce}`,
    )
  })

  test('what can be done is said, but not to wait for a replica where WAIT is refused', () => {
    const advice = (facts: DurabilityFacts) =>
      durability({ wanted: undefined, facts, proof: decideProof(undefined, facts), service: undefined }).advice
    const accept = 'write accepts that Redis may lose orders.'
    expect(advice(hidden)).toBe(`Allow INFO, or set SQS_DELETE_AFTER: replicas:1 waits for a replica, ${accept}`)
    expect(advice({ ...hidden, wait: false })).toBe(`Allow INFO, or set SQS_DELETE_AFTER: ${accept}`)
    expect(advice({ ...everysec, fsync: undefined, waitaof: false })).toBe(
      'Make sure that appendfsync, which cannot be read, is everysec or always.',
    )
  })
})

test('a managed service is known by the host name of its endpoint', () => {
  expect(Object.values(hosts).map(serviceAt)).toEqual(['MemoryDB', 'ElastiCache', 'ElastiCache Serverless'])
  expect(serviceAt('CLUSTERCFG.orders.abc123.memorydb.cn-north-1.amazonaws.com.cn.')).toBe('MemoryDB')
  for (const host of [undefined, '10.0.0.3', 'memorydb.example.com', 'cache.amazonaws.com.example.com', 'x.upstash.io'])
    expect(serviceAt(host)).toBeUndefined()
})
