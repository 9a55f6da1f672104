import { until } from '../until.ts'
import { type Docker, image } from './opened.ts'

/** Kills a container as the system would, from outside of it, and waits until its restart policy has it up again. */
export async function killContainer(docker: Docker, container: string): Promise<void> {
  const state = async (): Promise<string[]> => {
    const format = '{{.State.Pid}} {{.RestartCount}} {{.State.Status}}'
    return (await docker('inspect', '--format', format, container)).trim().split(' ')
  }
  const [pid = '', restarts] = await state()
  // The processes of an engine that this run has started are ours to end.
  if (docker.isOurs) process.kill(Number(pid), 'SIGKILL')
  else await docker('run', '--rm', '--pid', 'host', '--user', '0', '--entrypoint', 'sh', image, '-c', `kill -9 ${pid}`)
  await until(`${container} to be up again`, state, ([, again, status]) => again !== restarts && status === 'running')
}
