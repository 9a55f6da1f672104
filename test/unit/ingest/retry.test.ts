import { expect, test } from 'vitest'
import type { Outage } from '../../../src/ingest/failure-log.ts'
import { retryUntilDone } from '../../../src/ingest/retry.ts'

function open() {
  const said: string[] = []
  const outage: Outage = {
    failed: () => said.push('failed'),
    worked: () => said.push('worked'),
    left: () => {},
    pause: async () => {},
  }
  return { said, outage }
}

test('a call is tried until it succeeds, and each failure is reported', async () => {
  const { said, outage } = open()
  let tries = 0
  const call = async (): Promise<number> => {
    if (++tries < 3) throw new Error('not yet')
    return tries
  }
  const patience = { betweenMs: 1, quietMs: 0 }
  expect(await retryUntilDone(outage, call, new AbortController().signal, patience)).toBe(3)
  expect(said).toEqual(['failed', 'failed', 'worked'])
})

test('failures within the quiet time are not reported', async () => {
  const { said, outage } = open()
  let tries = 0
  const call = async (): Promise<void> => {
    if (++tries < 3) throw new Error('not yet')
  }
  await retryUntilDone(outage, call, new AbortController().signal, { betweenMs: 1, quietMs: 60_000 })
  expect(said).toEqual(['worked'])
})

test('a call that a stop has failed is no outage', async () => {
  const { said, outage } = open()
  const stop = new AbortController()
  const call = async (): Promise<void> => {
    stop.abort(new Error('a stop'))
    throw new Error('no connection')
  }
  await expect(retryUntilDone(outage, call, stop.signal)).rejects.toThrow('a stop')
  expect(said).toEqual([])
})
