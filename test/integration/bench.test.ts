import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('../../bench/bench.js', import.meta.url))

/** Runs the bench as on another platform. */
function benchOn(platform: string, ...args: string[]) {
  const pretend = `data:text/javascript,Object.defineProperty(process,'platform',{value:'${platform}'})`
  return spawnSync(process.execPath, ['--import', pretend, program, ...args], { encoding: 'utf8' })
}

test.each(['win32', 'darwin'])('the bench ends with one sentence on %s, which has no /proc', (platform) => {
  const { status, stdout, stderr } = benchOn(platform, 'line')
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toBe(
    'The bench reads CPU times from /proc, which only Linux has: run it on Linux, in a container or in WSL.\n',
  )
})
