import { join } from 'node:path'
import { debianPackages } from '../../debian/packages.ts'
import { run } from '../../debian/run.ts'

/** Runs kubectl in a folder, and returns what it printed. It reads no configuration: no API server is in reach. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string>

/** Opens the kubectl on the PATH, or else Debian's. */
export async function openKubectl(cwd: string): Promise<Kubectl> {
  const isInstalled = await run('kubectl', ['version', '--client']).then(
    () => true,
    () => false,
  )
  const program = isInstalled ? 'kubectl' : join(await debianPackages('sid', ['kubectl']), 'usr/bin/kubectl')
  return (args, input = '') => run(program, args, { cwd, input, env: { KUBECONFIG: '/dev/null' } })
}
