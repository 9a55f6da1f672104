import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { listen } from '../support/listen.ts'
import { openServer } from './prometheus.ts'
import { shortenAlertmanager } from './shorten.ts'

/** A message that Alertmanager has sent to a receiver, with the alerts that fire by it. */
export interface Notification {
  readonly receiver: string
  readonly alerts: readonly string[]
}

export interface Alertmanager extends AsyncDisposable {
  readonly address: string
  /** All that it has sent of a system, in order. Messages that only report the end of alerts are left out. */
  sent(system: string): readonly Notification[]
  /** The alerts of a system that it does not send, because their cause fires. */
  inhibited(system: string): Promise<ReadonlySet<string>>
}

interface Alert {
  readonly labels: Readonly<Record<string, string>>
  readonly status: string
}

/** Starts a real Alertmanager on loopback with the example of deploy/prometheus, shortened, and receives what it sends. */
export async function openAlertmanager(folder: string, example: string, factor: number): Promise<Alertmanager> {
  const received: { receiver: string; alerts: readonly Alert[] }[] = []
  const server = createServer(async (incoming, reply) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const { alerts } = JSON.parse(Buffer.concat(chunks).toString()) as { alerts: Alert[] }
    received.push({ receiver: (incoming.url ?? '').split('/')[1] ?? '', alerts })
    reply.end()
  })
  await using stack = new AsyncDisposableStack()
  const receiver = stack.use(await listen(server))
  const file = join(folder, 'alertmanager.yml')
  writeFileSync(file, shortenAlertmanager(example, factor, receiver.url))
  const { url, address } = stack.use(
    await openServer('prometheus-alertmanager', '/-/ready', (address) => [
      `--config.file=${file}`,
      `--storage.path=${join(folder, 'alertmanager')}`,
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
    ]),
  )
  const open = stack.move()
  return {
    address,
    sent: (system) =>
      received.flatMap(({ receiver, alerts }) => {
        const ours = alerts.filter(({ labels, status }) => labels['system'] === system && status === 'firing')
        return ours.length > 0 ? [{ receiver, alerts: [...new Set(ours.map(nameOf))] }] : []
      }),
    inhibited: async (system) => {
      const query = new URLSearchParams({ filter: `system="${system}"` })
      const alerts = (await (await fetch(`${url}/api/v2/alerts?${query}`)).json()) as {
        labels: Record<string, string>
        status: { inhibitedBy: readonly string[] }
      }[]
      return new Set(alerts.filter(({ status }) => status.inhibitedBy.length > 0).map(nameOf))
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

const nameOf = ({ labels }: { labels: Readonly<Record<string, string>> }): string => labels['alertname'] ?? ''
