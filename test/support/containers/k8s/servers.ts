import { redisImage } from '../../find-redis.ts'
import { root } from '../../markdown.ts'
import { until } from '../../until.ts'
import { type Docker, image } from '../opened.ts'
import type { Node } from './pod.ts'

export const redisPassword = 'secret-of-redis'
export const sqsImage = `${image}-sqs`
/** The port of AWS, which the policy names. */
export const sqsPort = 443

/** Builds the image of the local SQS emulator. */
export const buildSqs = (docker: Docker): Promise<string> =>
  docker('build', '--quiet', '--target', 'sqs', '--tag', sqsImage, root)

/** Starts Redis and SQS, which are outside of Kubernetes. Returns the URL of SQS. */
export async function startServers({ docker, networks, label }: Node, id: string): Promise<string> {
  const redis = `${id}-redis`
  const durable = ['--appendonly', 'yes', '--save', '', '--requirepass', redisPassword]
  await networks.start('redis', redis, ['--label', label, redisImage, 'redis-server', ...durable])
  const serve = `import('fauxqs').then((sqs) => sqs.startFauxqs({ port: ${sqsPort}, logger: false }))`
  const host = await networks.start('sqs', `${id}-sqs`, ['--label', label, '--init', sqsImage, 'node', '-e', serve])
  const ping = (): Promise<string> =>
    docker('exec', redis, 'redis-cli', '-e', '-a', redisPassword, 'ping').catch(String)
  await until('Redis', ping, (answer) => answer.includes('PONG'))
  const url = `http://${host}:${sqsPort}`
  await until('SQS', () => fetch(`${url}/health`).then(Boolean, () => false))
  return url
}

/** Starts a container that does nothing, to connect from: a Prometheus, or an ingress controller. */
export async function startClient({ networks, label }: Node, id: string, place: string): Promise<void> {
  const idle = ['-e', 'setInterval(() => {}, 1e9)']
  await networks.start(place, `${id}-${place}`, [
    '--label',
    label,
    '--init',
    '--no-healthcheck',
    '--entrypoint',
    'node',
    image,
    ...idle,
  ])
}
