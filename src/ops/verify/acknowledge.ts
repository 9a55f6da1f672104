import type { App } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import { acknowledgeIncidents, type OpenIncident, readIncidents } from '../../control/incidents.ts'
import { holdLock } from '../../control/lock.ts'
import { acceptDays, oddDays } from '../calendar/accept.ts'
import { operatingUser } from '../process/operating-user.ts'
import { acceptLoss, type LedgerLoss, ledgerLosses, lossText } from './ledger-losses.ts'

/** Incidents and losses that an operator has seen, and that are no longer reported. */
export interface Acknowledged {
  readonly incidents: readonly OpenIncident[]
  readonly ledger: readonly LedgerLoss[]
  /** A sentence for each way in which the days did not add up. */
  readonly days: readonly string[]
}

/** Acknowledges all incidents, and accepts losses of the ledger and odd days. Each is written to the audit log. */
export async function acknowledge(app: App, signal: AbortSignal): Promise<Acknowledged> {
  const incidents = await readIncidents(app.redis)
  const ledger = await lossesOf(app, signal)
  const by = operatingUser()
  const acknowledged = (what: object) => ({
    action: 'acknowledge',
    by,
    what: JSON.stringify(what),
  })
  for (const loss of ledger) {
    const keys = app.partitions.find(({ partition }) => partition === loss.partition)
    const accept = async () => keys && acceptLoss({ ...app, keys }, loss)
    await audited(app, acknowledged({ what: lossText(loss) }), accept)
  }
  const days = await oddDays(app)
  if (days.length > 0) {
    const others = 'orders verify, rebuild, erase or repartition'
    await using lock = await holdLock(app.redis, () => {}, signal, others)
    await audited(app, acknowledged({ what: days.join(' ') }), () => acceptDays(app, lock.require))
  }
  for (const incident of incidents) {
    const { text: what, ts } = incident
    await audited(app, acknowledged({ ts, what }), () => acknowledgeIncidents(app.redis, [incident]))
  }
  return { incidents, ledger, days }
}

/** Reads the losses of the ledger in all partitions, one after the other. */
export async function lossesOf(app: App, signal: AbortSignal): Promise<LedgerLoss[]> {
  const losses: LedgerLoss[] = []
  for (const keys of app.partitions) {
    signal.throwIfAborted()
    losses.push(...(await ledgerLosses({ ...app, keys })))
  }
  return losses
}

export function acknowledgedLines({ incidents, ledger, days }: Acknowledged): string[] {
  const texts = new Set([...incidents.map(({ text }) => text), ...ledger.map(lossText), ...days])
  if (texts.size === 0) return ['There was nothing to acknowledge.']
  return [...texts].map((text) => `Acknowledged: ${text}`)
}
