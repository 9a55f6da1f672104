import type { App } from '../../app.ts'
import type { Incident } from '../../control/incidents.ts'
import { infoOf } from '../../redis/info.ts'
import { generationNow } from '../../stages/runner/ledger.ts'
import { emulatorOs } from '../checks/server.ts'
import { ledgerLoss, lossText } from '../verify/ledger-losses.ts'

/** A sample of this many records estimates the loss of the whole ledger within a fifth. */
const sampledRecords = 1_000

/** @returns a function that samples the next generation of the next partition at each call, and reports lost records */
export function followLedger(app: App): () => Promise<Incident[]> {
  const places = app.partitions.flatMap((keys) => [0, 1].map((ago) => ({ keys, ago })))
  let at = Math.floor(Math.random() * places.length) // so that processes sample different ones
  const server = app.redis.info('server').catch(() => '') // a server that forbids INFO is no emulator
  return async () => {
    if (infoOf([await server])('os') === emulatorOs) return [] // a sample blocks it for four seconds
    const place = places[at++ % places.length]
    if (!place) return []
    const generation = (await generationNow(app)) - place.ago
    const loss = await ledgerLoss({ ...app, keys: place.keys }, generation, sampledRecords)
    if (!loss) return []
    const where = `${place.keys.partition ?? ''}/${generation}`
    return [{ kind: 'ledger', place: where, ts: app.now().toISOString(), orders: loss.lost, text: lossText(loss) }]
  }
}
