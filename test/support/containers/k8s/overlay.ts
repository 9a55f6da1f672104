import { appendFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../markdown.ts'
import { removeOnExit } from '../../on-exit.ts'
import { adminToken } from '../../world.ts'
import { openKubectl } from './kubectl.ts'
import { type Manifests, readManifests } from './manifests.ts'
import { redisPassword, sqsPort } from './servers.ts'

/** A copy of `deploy/k8s` that is changed as the page says, next to the file for the Secret. */
export interface Overlay extends Disposable {
  /** Adds a line to `base/orders.env`. */
  set(line: string): void
  /** Saves a file that the page shows, next to that for the Secret. */
  save(file: string, text: string): void
  /** Renders the overlay and a Secret. @param secret the line of the page that creates it */
  render(secret: string): Promise<Manifests>
  /** Follows a line for kubectl to its first question to an API server. Returns why it does not get so far. */
  complaint(line: string): Promise<string | undefined>
}

/** Nothing listens there. */
const noServer = '127.0.0.1:1'

export async function openOverlay(name: string): Promise<Overlay> {
  const folder = mkdtempSync(join(tmpdir(), 'orders-k8s-'))
  const removing = removeOnExit(folder)
  cpSync(join(root, 'deploy/k8s'), join(folder, 'deploy/k8s'), { recursive: true })
  const save = (file: string, text: string): void => writeFileSync(join(folder, file), text)
  save('orders.secret', `REDIS_URL=redis://:${redisPassword}@redis:6379\nADMIN_TOKEN=${adminToken}\n`)
  const set = (line: string): void => appendFileSync(join(folder, 'deploy/k8s/base/orders.env'), `${line}\n`)
  set(`AWS_ENDPOINT_URL=http://sqs:${sqsPort}`)
  set('LEDGER_BUCKETS=1024') // a validate that starts reads all of them, and a repartition moves them
  const kubectl = await openKubectl(folder)
  const kustomize = (): Promise<string> => kubectl(['kustomize', `deploy/k8s/overlays/${name}`])
  const render = async (line: string): Promise<Manifests> => {
    const [, ...create] = `${line} --dry-run=client --output yaml`.split(' ')
    return readManifests([await kustomize(), await kubectl(create)].join('---\n'))
  }
  const complaint = async (line: string): Promise<string | undefined> => {
    const [, ...args] = line.split(' ')
    const printed = await kubectl(['--server', `http://${noServer}`, ...args], await kustomize()).catch(String)
    return printed.includes(noServer) && printed.includes('refused') ? undefined : `${line}: ${printed}`
  }
  return { set, save, render, complaint, [Symbol.dispose]: () => removing[Symbol.dispose]() }
}
