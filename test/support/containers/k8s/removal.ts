import { spawnSync } from 'node:child_process'
import { run } from '../../debian/run.ts'
import { doOnExit } from '../../on-exit.ts'
import type { Docker } from '../opened.ts'

/** Removes all containers and networks that have a label, when it is disposed, or at the end of the process. */
export function removing({ env }: Docker, label: string): AsyncDisposable {
  const filter = `--quiet --filter label=${label}`
  const script = `
    docker ps --all ${filter} | xargs -r docker rm --force --volumes
    docker network ls ${filter} | xargs -r docker network rm`
  const onExit = doOnExit(() => spawnSync('sh', ['-c', script], { env: { ...process.env, ...env } }))
  const remove = async (): Promise<void> => {
    await run('sh', ['-ec', script], { env })
    onExit[Symbol.dispose]()
  }
  return { [Symbol.asyncDispose]: remove }
}
