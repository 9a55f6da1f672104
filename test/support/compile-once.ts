import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/**
 * Compiles src once for all processes that tests start. A start costs half of the processor time then, and one that is
 * killed, as most are here, keeps nothing compiled itself.
 */
export async function compileOnce(): Promise<() => void> {
  const dir = mkdtempSync(join(tmpdir(), 'orders-test-compiled-'))
  process.env['NODE_COMPILE_CACHE'] = dir // the workers of the run inherit it
  const program = fileURLToPath(new URL('./compile-all.ts', import.meta.url))
  await promisify(execFile)(process.execPath, [program])
  return () => rmSync(dir, { recursive: true, force: true })
}
