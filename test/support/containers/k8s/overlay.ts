import { appendFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../markdown.ts'
import { removeOnExit } from '../../on-exit.ts'
import { adminToken } from '../../world.ts'
import { type Kubectl, openKubectl } from './kubectl.ts'
import { type Manifests, readManifests } from './manifests.ts'
import { redisPassword, sqsPort } from './servers.ts'

/** A copy of `deploy/k8s` that is changed as the page says, next to the file for the Secret. */
export interface Overlay extends Disposable {
  /** Runs kubectl in the folder of the copy. */
  readonly kubectl: Kubectl
  /** Adds a line to `base/orders.env`. */
  set(line: string): void
  /** Renders the overlay and a Secret. @param secret the line of the page that creates it */
  render(secret: string): Promise<Manifests>
}

export async function openOverlay(name: string): Promise<Overlay> {
  const folder = mkdtempSync(join(tmpdir(), 'orders-k8s-'))
  const removing = removeOnExit(folder)
  cpSync(join(root, 'deploy/k8s'), join(folder, 'deploy/k8s'), { recursive: true })
  const values = { REDIS_URL: `redis://:${redisPassword}@redis:6379`, ADMIN_TOKEN: adminToken }
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(join(folder, 'orders.secret'), lines.join(''))
  const set = (line: string): void => appendFileSync(join(folder, 'deploy/k8s/base/orders.env'), `${line}\n`)
  set(`AWS_ENDPOINT_URL=http://sqs:${sqsPort}`)
  set('LEDGER_BUCKETS=1024') // a validate that starts reads all of them, and a repartition moves them
  const kubectl = await openKubectl(folder)
  const render = async (line: string): Promise<Manifests> => {
    const [, ...create] = `${line} --dry-run=client --output yaml`.split(' ')
    return readManifests(
      [await kubectl('kustomize', `deploy/k8s/overlays/${name}`), await kubectl(...create)].join('---\n'),
    )
  }
  return { kubectl, set, render, [Symbol.dispose]: () => removing[Symbol.dispose]() }
}
