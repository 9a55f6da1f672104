import { z } from 'zod'
import { type CarriedName, carriedFields, carriedFrom } from '../carried.ts'
import {
  hasPlainRunnerFields,
  type RecordKind,
  type RecordTimes,
  rawOrder,
  runnerFields,
  untracedText,
} from '../messages.ts'
import type { Channel, Pipeline, Stage, StageCounters } from './placed.ts'
import { requireFit } from './require-fit.ts'
import { maxRecords } from './runner/entry.ts'
import type { AnyStage, Fitting, StageDefinition, Verdict } from './stage.ts'

/** Written by the bridge. */
const rawChannel = 'raw'

/** A definition at its place: what it reads, which stage writes that, and the fields carried for it and later stages. */
interface PlacedStage {
  readonly definition: StageDefinition
  readonly from: string
  readonly kind: RecordKind
  readonly writer: StageDefinition | undefined
  readonly carried: readonly CarriedName[]
}

/**
 * Puts stages in order and derives once the readers of each channel, its decoder, and the counters of the books.
 * @throws Error with a plain sentence if neighbors do not fit
 */
export function definePipeline<const List extends readonly AnyStage[]>(list: List & Fitting<List>): Pipeline {
  const placed = placeStages(list as readonly AnyStage[] as readonly StageDefinition[])
  const stages = placed.map((stage) => stageOf(stage, carriedInto(placed, stage.definition.passes?.channel)))
  requireNames(stages)
  const byName = new Map(stages.map((stage) => [stage.name, stage]))
  const channels = channelsOf(placed, stages)
  const byChannel = new Map(channels.map((channel) => [channel.name, channel]))
  const chain = stages.filter(({ isObserver }) => !isObserver)
  const names = stages.map(({ name }) => name)
  return Object.freeze({
    stages,
    chain,
    first: stages[0] as Stage,
    names,
    channels,
    components: ['bridge', ...names],
    growing: [
      'received',
      ...stages.flatMap(({ isFirst, counts, counters }) => (isFirst ? counters.outflow : [counts])),
    ],
    without: (name: string) =>
      definePipeline((list as readonly AnyStage[]).filter((stage) => stage.name !== name) as never),
    stage: (name: string) => byName.get(name),
    channel: (name: string) => {
      const channel = byChannel.get(name)
      if (!channel) throw new Error(`This pipeline has no channel ${name}.`)
      return channel
    },
  })
}

/** Finds what each stage reads: the channel of the last stage of the chain before it. */
function placeStages(definitions: readonly StageDefinition[]): PlacedStage[] {
  const [first] = definitions
  if (!first || first.observes || first.takes !== (rawOrder as RecordKind)) {
    throw new Error('A pipeline begins with a stage that takes what the bridge writes, such as validate.')
  }
  let before: { readonly channel: string; readonly record: RecordKind; readonly writer: StageDefinition | undefined } =
    {
      channel: rawChannel,
      record: rawOrder as RecordKind,
      writer: undefined,
    }
  let isOpen = true
  const placed = definitions.map((definition): Omit<PlacedStage, 'carried'> => {
    const { channel: from, record: kind, writer } = before
    if (!isOpen) throw new Error(`${writer?.name} passes nothing on, so ${definition.name} must come before it.`)
    requireFit(definition, kind, writer)
    if (!definition.observes) {
      isOpen = definition.passes !== undefined
      before = { ...(definition.passes ?? before), writer: definition }
    }
    return { definition, from, kind, writer }
  })
  return placed.map((stage, at) => ({ ...stage, carried: carriedAt(placed, at) }))
}

/** Returns the fields that a stage's records carry: all that it and later stages need. */
function carriedAt(placed: readonly Omit<PlacedStage, 'carried'>[], at: number): CarriedName[] {
  const needs = placed.slice(at).flatMap(({ definition }) => definition.needs ?? [])
  const from = placed[at]?.from
  const all = [...needs, ...placed.flatMap((stage) => (stage.from === from ? (stage.definition.needs ?? []) : []))]
  const { kind, writer } = placed[at] as PlacedStage
  if (at > 0 && all.length > 0 && namesOf(kind) !== 'order') {
    const needing = placed.slice(at).find(({ definition }) => definition.needs?.length)?.definition.name
    const problem = `${needing} needs ${[...new Set(all)].join(', ')}, which ${writer?.name} does not pass on`
    throw new Error(`${problem}: put ${needing} before ${writer?.name}.`)
  }
  return from === rawChannel ? [] : [...new Set(all)].sort()
}

function carriedInto(placed: readonly PlacedStage[], channel: string | undefined): readonly CarriedName[] {
  return placed.find(({ from }) => from === channel)?.carried ?? []
}

/** @param carry fields that its output must carry for later stages */
function stageOf({ definition, from, writer }: PlacedStage, carry: readonly CarriedName[]): Stage {
  const { name, counts, passes } = definition
  const isFirst = writer === undefined
  return {
    ...{ name, counts, from, isFirst, isObserver: definition.observes === true, carries: carry },
    ...(passes && { to: passes.channel }),
    counters: countersOf(definition, writer),
    decide:
      isFirst || carry.length === 0
        ? (record, keys, format, times = atNoTime) => definition.decide(record, keys, { carry, format, times })
        : (record, keys, format, times = atNoTime) =>
            carryOn(definition.decide(record, keys, { carry, format, times }), record, carry),
  }
}

const atNoTime: RecordTimes = { sentMs: 0, atMs: 0 }

/** Copies fields of the record to the next stage's, unless the stage has set them itself. */
function carryOn(verdict: Verdict, record: object, carry: readonly CarriedName[]): Verdict {
  if (!('emit' in verdict)) return verdict
  return { ...verdict, emit: { ...carriedFrom(record as Record<string, unknown>, carry), ...verdict.emit } }
}

/** Counts the corrections that the first stage passes on, next to the orders that it admits. */
const corrected = 'corrected'

/** Names the counters of all that a stage passes on. */
const passedBy = ({ counts, takes }: StageDefinition): string[] =>
  takes === (rawOrder as RecordKind) ? [counts, corrected] : [counts]

function countersOf({ name, counts }: StageDefinition, writer: StageDefinition | undefined): StageCounters {
  const isFirst = writer === undefined
  const inflow = writer ? passedBy(writer) : ['received']
  const rejected = isFirst ? 'rejected' : `${name}:rejected`
  const foreign = `${name}:foreign`
  return {
    in: isFirst ? inflow : [...inflow, foreign],
    outflow: isFirst ? [counts, corrected, rejected, 'duplicates'] : [counts, rejected],
    rejected,
    missed: `${name}:missed`,
    lost: `${name}:lost`,
    foreign,
    found: isFirst ? 'received' : foreign,
  }
}

function channelsOf(placed: readonly PlacedStage[], stages: readonly Stage[]): Channel[] {
  return [...Map.groupBy(placed, ({ from }) => from)].map(([name, [reader]]): Channel => {
    const { kind, carried } = reader as PlacedStage
    const extra = Object.fromEntries(carried.map((field) => [field, carriedFields[field]]))
    const record = kind.schema.safeExtend({ ...extra, ...runnerFields })
    const { isPlain = () => false } = kind
    return {
      name,
      record,
      batch: z.array(record).min(1).max(maxRecords),
      isPlain: (value) =>
        isPlain(value) &&
        hasPlainRunnerFields(value) &&
        carried.every((field) => value[field] === undefined || carriedFields[field].safeParse(value[field]).success),
      orders: kind.orders ?? (() => 1),
      text: kind.text ?? untracedText,
      names: namesOf(kind),
      readers: stages.filter(({ from }) => from === name),
      writer: stages.find(({ to }) => to === name),
    }
  })
}

function namesOf({ schema }: RecordKind): Channel['names'] {
  if (!('user_id' in schema.shape)) return 'neither'
  return 'order_id' in schema.shape ? 'order' : 'user'
}

/** Names of keys and streams that a channel must not have. */
const reserved = [rawChannel, 'invalid', 'discarded']
/** Counters that belong to no single stage. */
const reservedCounters = ['received', 'rejected', 'duplicates', corrected, 'replayed', 'discarded']
const nameForm = /^[a-z][a-z0-9_-]*$/

function requireNames(stages: readonly Stage[]): void {
  const names = stages.map(({ name }) => name)
  const channels = stages.flatMap(({ to }) => to ?? [])
  const counters = stages.map(({ counts }) => counts)
  for (const [what, all, taken] of [
    ['stage', names, ['bridge', 'jobs', 'api']],
    ['channel', channels, reserved],
    ['counter', counters, reservedCounters],
  ] as const) {
    for (const [at, name] of all.entries()) {
      if (!nameForm.test(name)) throw new Error(`${name} is not a valid name for a ${what}: use a-z, 0-9, _ and -.`)
      if ((taken as readonly string[]).includes(name))
        throw new Error(`${name} is not available as the name of a ${what}: it is in use.`)
      if (all.indexOf(name) !== at) throw new Error(`Two stages have the ${what} ${name}: each needs its own.`)
    }
  }
}
