import { allOf } from './all-of.ts'
import type { Deployment, Manifests } from './manifests.ts'
import { type Ended, type Node, type Pod, startPod } from './pod.ts'

/** The Pods of one Deployment. */
export interface Role {
  readonly name: string
  pods(): readonly Pod[]
  /** Replaces every Pod as the strategy says: a new one is available before an old one stops. Returns how the old ones ended. */
  rollOut(manifests: Manifests): Promise<Ended[]>
}

/** Starts one Pod, whatever the number of replicas: a rollout runs two at a time, and each start takes seconds of CPU. */
export async function startRole(node: Node, id: string, name: string, manifests: Manifests): Promise<Role> {
  let count = 0
  let pods: Pod[] = []
  const start = async (from: Manifests, { spec }: Deployment): Promise<Pod> => {
    const pod = await startPod(node, `${id}-${name}-${++count}`, spec.template, from)
    pods = [...pods, pod]
    await pod.available(spec.minReadySeconds)
    return pod
  }
  await start(manifests, deploymentOf(manifests, name))

  const rollOut = async (next: Manifests): Promise<Ended[]> => {
    const stopping: Promise<Ended>[] = []
    for (const old of pods) {
      await start(next, deploymentOf(next, name))
      const ended = old.terminate()
      ended.catch(() => {}) // reported below, unless a start fails first
      stopping.push(ended)
    }
    const ended = await allOf(stopping)
    pods = pods.filter((pod) => !ended.some((one) => one.pod === pod.name))
    return ended
  }
  return { name, pods: () => pods, rollOut }
}

function deploymentOf({ deployments }: Manifests, name: string): Deployment {
  const found = deployments.find(({ metadata }) => metadata.name === name)
  if (!found) throw new Error(`There is no Deployment ${name}.`)
  return found
}
