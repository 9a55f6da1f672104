import { closeSync, constants, openSync, readSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openLog } from '../../../../src/ops/open/log.ts'
import { unreadPipe } from '../../../support/full-output.ts'
import { until } from '../../../support/until.ts'

/** All that a pipe holds just now. */
function readAll(fd: number): Buffer {
  const chunk = Buffer.alloc(65_536)
  const chunks: Buffer[] = []
  try {
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk))
      chunks.push(Buffer.from(chunk.subarray(0, read)))
  } catch (error) {
    expect(error).toMatchObject({ code: 'EAGAIN' })
  }
  return Buffer.concat(chunks)
}

test('lines longer than a pipe takes at once come whole and in order, but for those that are counted as dropped', async () => {
  using pipe = unreadPipe()
  const writer = openSync(pipe.path, constants.O_WRONLY | constants.O_NONBLOCK)
  const reader = openSync(pipe.path, constants.O_RDONLY | constants.O_NONBLOCK)
  const missing: number[] = []
  using log = openLog((lines) => missing.push(lines), writer)
  const filling = 'é'.repeat(5_000)
  for (let line = 0; line < 100; line++) log.write(`${line} ${filling}\n`)
  const dropped = log.dropped()
  expect(dropped).toBeGreaterThan(0)
  const chunks: Buffer[] = []
  await until('the lines that waited', () => {
    chunks.push(readAll(reader))
    return missing.length > 0
  })
  log.write(`100 ${filling}\n`)
  chunks.push(readAll(reader))
  closeSync(reader)
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n')
  const numbers = lines.map((line) => Number(line.split(' ')[0]))
  expect(lines.every((line) => line.endsWith(` ${filling}`))).toBe(true)
  expect(numbers).toEqual([...Array.from({ length: 100 - dropped }, (_, line) => line), 100])
  expect([missing, log.dropped()]).toEqual([[dropped], dropped])
})

test('a reader that has gone costs its lines and nothing else', () => {
  const pipe = unreadPipe()
  const writer = openSync(pipe.path, constants.O_WRONLY | constants.O_NONBLOCK)
  using log = openLog(() => {}, writer)
  pipe[Symbol.dispose]()
  for (let line = 0; line < 3; line++) log.write('a line\n')
  expect(log.dropped()).toBe(3)
})
