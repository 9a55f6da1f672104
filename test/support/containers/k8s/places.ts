import type { Manifests } from './manifests.ts'
import type { Place } from './policies.ts'
import { sqsPort } from './servers.ts'

/** An address of the networks of a run; every server outside of Kubernetes has one of these. */
const outside = '10.0.0.1'

const app = 'app.kubernetes.io/name'
const component = 'app.kubernetes.io/component'

/** Returns the Pods and servers that take part: those of the overlay, a pod for commands, and all around it. */
export function placesOf({ deployments }: Pick<Manifests, 'deployments'>): Place[] {
  const roles = deployments.map(({ metadata, spec }): Place => {
    const [{ ports }] = spec.template.spec.containers
    const { labels } = spec.template.metadata
    const [{ name, containerPort }] = ports
    return { name: metadata.name, namespace: 'orders', labels, port: containerPort, portName: name }
  })
  return [
    ...roles,
    { name: 'command', namespace: 'orders', labels: { [app]: 'orders', [component]: 'command' } },
    { name: 'redis', address: outside, port: 6379 },
    { name: 'sqs', address: outside, port: sqsPort },
    { name: 'monitoring', namespace: 'monitoring' },
    { name: 'ingress', namespace: 'ingress' },
  ]
}
