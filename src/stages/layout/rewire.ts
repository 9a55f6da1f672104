import { z } from 'zod'
import type { App, PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { defineScript } from '../../redis/script.ts'
import type { Stage } from '../placed.ts'
import { deadAfterMs } from '../runner/dead-consumers.ts'
import { channelIn, fieldOf, layoutOf, nameIn, observing, passedIn } from './layout.ts'

const replacePipeline = defineScript(
  import.meta.url,
  z.union([z.tuple([]), z.tuple([z.literal('again')]), z.tuple([z.literal(['running', 'waiting']), z.string()])]),
)

type Layout = Readonly<Record<string, string>>

/**
 * Replaces a pipeline in which a stage read another channel or passed on other fields, in every partition. A stage that is
 * only new reads the entries that its stream still holds, and needs nothing else.
 * @throws OrdersError ORD_MANIFEST while orders wait where the pipeline has changed, or while another process still runs a
 * stage that has changed: it would pass orders by the new stages, or bring the former list back when it starts again
 */
export async function rewire(app: App): Promise<void> {
  for (const keys of app.partitions) await rewireIn({ ...app, keys })
}

async function rewireIn(scope: PartitionScope): Promise<void> {
  const { redis, keys, pipeline } = scope
  for (;;) {
    const before = await redis.hgetall(keys.stages)
    const known = pipeline.stages.map((stage): [string, string] => [fieldOf(stage), layoutOf(stage)])
    // An observer that this list lacks may belong to another process: it stays.
    const others = Object.entries(before).filter(
      ([field]) => field.startsWith(observing) && !pipeline.stage(nameIn(field)),
    )
    const after = Object.fromEntries([...others, ...known])
    if (JSON.stringify(sorted(before)) === JSON.stringify(sorted(after))) return
    const { names, plan } = planOf(scope, before, after)
    const reply = await replacePipeline(redis, names, [JSON.stringify(plan)])
    if (reply[0] === undefined) return
    if (reply[0] === 'running') throw new OrdersError('ORD_MANIFEST', runningText(scope, reply[1] ?? ''))
    if (reply[0] === 'waiting') throw new OrdersError('ORD_MANIFEST', waitingText(reply[1] ?? ''))
  }
}

const waitingText = (stage: string): string =>
  `The list of stages has changed and orders still wait for stage ${stage} as it was before: start the previous release again, ` +
  'run orders drain, stop it, and start this one.'

const runningText = ({ config }: PartitionScope, stage: string): string =>
  `The list of stages has changed and another process still runs stage ${stage} as it was before: stop all processes of the ` +
  `other release first. One that was killed counts as running for ${Math.ceil(deadAfterMs(config) / 1_000)} seconds.`

const sorted = (layout: Layout): unknown => Object.entries(layout).sort(([one], [other]) => (one < other ? -1 : 1))

/** Returns the keys and the plan for rewire.lua. */
function planOf({ keys, config, pipeline }: PartitionScope, before: Layout, after: Layout) {
  const names = [keys.counters, keys.stages, keys.missedBefore]
  const number = (key: string): number => (names.includes(key) ? names.indexOf(key) + 1 : names.push(key))
  const wasOf = (stage: Stage): string | undefined => before[fieldOf(stage)]
  const isMoved = (stage: Stage): boolean => wasOf(stage) !== undefined && channelIn(wasOf(stage) ?? '') !== stage.from
  const isNew = (stage: Stage): boolean => wasOf(stage) === undefined && !stage.isObserver
  const passesOther = (stage: Stage): boolean => passedIn(wasOf(stage) ?? '') !== passedIn(layoutOf(stage))
  const groups = Object.entries(before).map(([field, layout]) => {
    const [stage, stream] = [nameIn(field), number(keys.stream(channelIn(layout)))]
    return { field, layout, stage, stream, leaves: channelIn(after[field] ?? '') !== channelIn(layout) }
  })
  const left = groups.filter(({ leaves }) => leaves)
  const changed = Object.keys(before).length === 0 ? [] : pipeline.stages.filter((one) => isMoved(one) || isNew(one))
  const passing = pipeline.stages.filter((one) => wasOf(one) !== undefined && passesOther(one))
  const readers = passing.flatMap(({ to }) => (to === undefined ? [] : pipeline.channel(to).readers))
  return {
    names,
    plan: {
      before,
      after,
      stop: groups.flatMap(({ field, layout, stage, stream }) => (after[field] === layout ? [] : [[stream, stage]])),
      dead_ms: deadAfterMs(config),
      empty: [
        ...left.map(({ stage, stream }) => [stream, stage]),
        // Entries on a moved stage's new stream belong to another stage, and those already passed on lack the new fields.
        ...[...pipeline.stages.filter(isMoved), ...readers].map(({ name, from }) => [number(keys.stream(from)), name]),
      ],
      leave: left.map(({ stage, stream }) => [stream, stage, number(keys.committed(stage))]),
      books: changed.map((stage) => ({
        stage: stage.name,
        ins: stage.counters.in,
        outs: [...stage.counters.outflow, stage.counters.missed, stage.counters.lost],
        // A stage that ran before has not passed what now counts as its inflow, even if it has passed nothing yet.
        passed: isNew(stage) ? stage.counts : stage.counters.missed,
        missed: stage.counters.missed,
      })),
    },
  }
}
