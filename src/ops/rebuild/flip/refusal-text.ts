import { countText } from '../../../reads/count-text.ts'
import { idMs, isoOf } from '../../../stream-id.ts'
import { countOf } from '../../terminal/numbers.ts'
import type { Comparison } from './flip.ts'
import type { Gap } from './gaps.ts'

/** Says why there is no flip of a stage that may have counted what the archive has missed. */
export function gapText(stage: string, { missed, before }: Gap): string {
  const what = `The archive has missed ${countText(missed)} orders and corrections, the last before ${isoOf(idMs(before))}`
  return `${what}, and ${stage} may have counted them. A flip would forget them, so there is none.`
}

/** Says what a flip would count of what a stage has rejected, and what to do. */
export function rejectedText(stage: string, { rejected, held }: Pick<Comparison, 'rejected' | 'held'>): string {
  const all = rejected.get(stage) ?? 0
  const replayable = Math.min(all, held.get(stage)?.size ?? 0)
  const gone = all - replayable
  const would = (orders: number): string => `${countOf(orders, 'order')} that ${stage} rejected would be counted`
  const them = replayable === 1 ? 'it' : 'them'
  const replay = `Replay ${them} first: a later replay would count twice.`
  const other = 'Where that is not wanted, --count-rejected counts and discards what was rejected.'
  const those = gone === 1 ? 'it' : 'them'
  return [
    ...(replayable > 0 ? [`${would(replayable)}. ${replay} ${other}`] : []),
    ...(gone > 0
      ? [`${would(gone)}, and the invalid channel has ${those} no more: --count-rejected counts what was discarded.`]
      : []),
  ].join(' ')
}
