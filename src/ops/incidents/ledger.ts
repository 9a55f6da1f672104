import type { App } from '../../app.ts'
import type { Incident } from '../../control/incidents.ts'
import { infoOf } from '../../redis/client.ts'
import { generationNow } from '../../stages/runner/ledger.ts'
import { emulatorOs } from '../checks/server.ts'
import { ledgerLoss, lossText } from '../verify/ledger-losses.ts'

/** So many lines are within a fifth of the whole ledger's, by all chance. */
const sampledLines = 1_000

/** @returns what looks at one generation of one partition each time, one after the other, and gives what is lost there */
export function followLedger(app: App): () => Promise<Incident[]> {
  const places = app.partitions.flatMap((keys) => [0, 1].map((ago) => ({ keys, ago })))
  let at = Math.floor(Math.random() * places.length) // so that processes look at different ones
  const server = app.redis.info('server').catch(() => '') // where INFO is not allowed there is a server
  return async () => {
    if (infoOf([await server])('os') === emulatorOs) return [] // it takes four seconds for that, and all stands still
    const place = places[at++ % places.length]
    if (!place) return []
    const generation = (await generationNow(app)) - place.ago
    const loss = await ledgerLoss({ ...app, keys: place.keys }, generation, sampledLines)
    if (!loss) return []
    const where = `${place.keys.partition ?? ''}/${generation}`
    return [{ kind: 'ledger', place: where, ts: app.now().toISOString(), orders: loss.lost, text: lossText(loss) }]
  }
}
