import { until } from '../until.ts'
import { type Docker, image } from './opened.ts'

/** Kills a container as the system would, from outside of it, and waits until its restart policy has it up again. */
export async function killContainer(docker: Docker, container: string): Promise<void> {
  const state = async (): Promise<string[]> => {
    const format = '{{.State.Pid}} {{.RestartCount}} {{.State.Status}}'
    return (await docker('inspect', '--format', format, container)).trim().split(' ')
  }
  const isUp = ([, , status]: readonly string[]): boolean => status === 'running'
  const [pid, restarts] = await until(`${container} to be up`, state, isUp)
  // Only where the engine runs is this the number of that process: on this machine it may be another's.
  const kill = ['--entrypoint', 'sh', image, '-c', `kill -9 ${pid}`]
  await docker('run', '--rm', '--network', 'none', '--pid', 'host', '--user', '0', ...kill)
  await until(`${container} to be up again`, state, (now) => isUp(now) && now[1] !== restarts)
}
