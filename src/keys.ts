import type { KeyDeclaration, KeyKind } from './keys/declaration.ts'
import { channelKey, partitionKeys } from './keys/partition-keys.ts'
import { bareKeys, controlKeys } from './keys/whole-keys.ts'
import { type RejectGroup, rejectGroupNames } from './reject-codes.ts'

/*
 * Makes the names of all Redis keys. Every key is declared once in keys/, except those of the job queues, which are below,
 * and a stage's own. No other file spells one. From a declaration follow the functions that make its names, the table in
 * docs/reference/keys.md, the types that orders doctor expects, the patterns of the ACL, and what a repartition moves or
 * deletes.
 */

export const keyDeclarations: readonly KeyDeclaration[] = [
  channelKey,
  ...Object.values(partitionKeys),
  ...Object.values(controlKeys),
  ...Object.values(bareKeys),
]

/** A name, or a function of as many values as its declaration has placeholders. */
type NameOf<Name extends string> = Placeholders<Name> extends [] ? string : (...values: Placeholders<Name>) => string

type Placeholders<Name extends string> = Name extends `${string}<${string}>${infer Rest}`
  ? [value: string | number, ...Placeholders<Rest>]
  : []

type NamesOf<Declarations extends Record<string, KeyDeclaration>> = {
  readonly [Key in keyof Declarations]: NameOf<Declarations[Key]['name']>
}

/**
 * Names of a partition's keys. Without partitions they are bare; in partition 3 each begins with the hash tag `{p3}:`, so
 * that all keys of a partition share one slot of a Redis Cluster.
 */
export interface Keys extends NamesOf<typeof partitionKeys> {
  /** Undefined where names are bare. */
  readonly partition: number | undefined
  /** How many partitions there are, as text; `none` where names are bare. */
  readonly layout: string
  /** The work stream of a channel. */
  stream(channel: string): string
  /** Never written: stands for a key that does not exist. */
  readonly nothing: string
  /** A key of a stage's own: `own('revenue', 'days')` is `revenue:days`. */
  own(stage: string, name: string): string
}

export type ControlKeys = NamesOf<typeof controlKeys>

const tagOf = (partition: number | undefined): string => (partition === undefined ? '' : `{p${partition}}:`)

/** @param count undefined for one partition with bare names */
export function makePartitions(count: number | undefined): Keys[] {
  return count === undefined ? [makeKeys()] : Array.from({ length: count }, (_, at) => makeKeys(at, count))
}

export const makeControlKeys = (partitions: readonly Keys[]): ControlKeys =>
  namesOf(controlKeys, tagOf(partitions[0]?.partition))

/** Built by a repartition next to a partition's keys, to replace them: the same names behind `{p3}:moved:`. */
export const movedKeys = (partition: number, of: number): Keys => makeKeys(partition, of, 'moved:')

const adoptedTag = 'adopted:'

/** Built by an adoption next to the keys of a partition, to replace them: the same names behind `adopted:`. */
export const adoptedKeys = ({ partition }: Keys): Keys => makeKeys(partition, undefined, adoptedTag)

/** Pattern of the bare keys that an adoption builds. Those of a partition have its tag first. */
export const adoptedPattern = `${adoptedTag}*`

/** Each run has keys of its own: a process that deletes those of an earlier run, and was suspended, cannot meet them. */
const shadowTag = (run: string): string => `rebuild:new:${run.slice(0, 8)}:`

/** Built by a run of a rebuild next to the keys of a partition: the same names behind `{p3}:rebuild:new:<run>:`. */
export const shadowKeys = ({ partition, layout }: Keys, run: string): Keys =>
  makeKeys(partition, partition === undefined ? undefined : Number(layout), shadowTag(run))

/** Returns the beginning of the names of all shadow keys of a partition. @param run only those of this one */
export const shadowPrefix = ({ partition }: Keys, run?: string): string =>
  tagOf(partition) + (run === undefined ? 'rebuild:new:' : shadowTag(run))

/** Returns the name of the shadow of a key. */
export const shadowName = (keys: Keys, run: string, name: string): string =>
  shadowPrefix(keys, run) + name.slice(tagOf(keys.partition).length)

/** Returns the name of the key that a shadow key of a run stands for. */
export const shadowedName = (keys: Keys, run: string, shadow: string): string =>
  tagOf(keys.partition) + shadow.slice(shadowPrefix(keys, run).length)

/** @param of how many partitions there are */
export function makeKeys(partition?: number, of?: number, more = ''): Keys {
  const tag = tagOf(partition) + more
  return {
    ...namesOf(partitionKeys, tag),
    partition,
    layout: String(of ?? 'none'),
    stream: (channel) => `${tag}orders:${channel}`,
    nothing: `${tag}pipeline:nothing`,
    own: (stage, name) => `${tag}${stage}:${name}`,
  }
}

function namesOf<D extends Record<string, KeyDeclaration>>(declarations: D, tag: string): NamesOf<D> {
  const names = Object.entries(declarations).map(([key, { name }]) => [key, nameOf(tag + name)])
  return Object.fromEntries(names)
}

function nameOf(name: string): string | ((...values: (string | number)[]) => string) {
  const [first = '', ...rest] = name.split(/<\w+>/)
  if (rest.length === 0) return first
  if (rest.length === 1) return (value) => `${first}${value}${rest[0]}` // on the hot path: a user's
  if (rest.length === 2) return (one, other) => `${first}${one}${rest[0]}${other}${rest[1]}`
  return (...values) => rest.reduce((made, text, at) => `${made}${values[at]}${text}`, first)
}

/**
 * Keys of a partition that go away with it, by name; those of users, orders and jobs, which are many, have moved before.
 */
export function keysOfPartition(
  keys: Keys,
  { names, channels }: { names: readonly string[]; channels: readonly { readonly name: string }[] },
): string[] {
  const fixed = Object.keys(partitionKeys).map((key) => keys[key as keyof typeof partitionKeys])
  return [
    ...channels.map(({ name }) => keys.stream(name)),
    ...fixed.filter((name) => typeof name === 'string'),
    ...rejectGroupNames.map((group: RejectGroup) => keys.invalidGroup(group)),
    ...names.map((stage) => keys.committed(stage)),
  ]
}

/** Control keys that outlast a repartition, always in the same order. */
export function lastingControlKeys(control: ControlKeys): { name: string; kind: KeyKind }[] {
  return (Object.keys(controlKeys) as (keyof ControlKeys)[]).flatMap((key) => {
    const { kind, transient }: KeyDeclaration = controlKeys[key]
    const name = control[key]
    return transient || typeof name !== 'string' ? [] : [{ name, kind }]
  })
}

/** BullMQ's prefix: a hash tag of its own, so that a queue's keys share a slot. */
export const jobsPrefix = '{jobs}'

/** The job that an Idempotency-Key stands for. */
export const idempotencyKey = (hash: string): string => `${jobsPrefix}:idempotency:${hash}`

/** Exists while a process runs the role `jobs` (see control/jobs-alive.ts). */
export const jobsAliveKey = `${jobsPrefix}:alive`

/** The settings of this system; a process with others refuses to start. */
export const manifestKey = bareKeys.manifest.name

/** See control/incidents.ts. */
export const incidentsKey = bareKeys.incidents.name

/** See control/lock.ts. */
export const lockKey = bareKeys.lock.name

/**
 * Patterns of Redis' ACL that all our keys match, with partitions or without: a partition's share a tag, bare names the
 * word before their first colon.
 */
export function keyPatterns(partitioned: boolean): string[] {
  const bare = [...new Set(keyDeclarations.map(({ name }) => name.replace(/:.*/, ':*')))]
  const whole = Object.values(bareKeys).map(({ name }) => name)
  return [...(partitioned ? ['{p*}:*', ...whole] : [...bare, adoptedPattern]), `${jobsPrefix}:*`]
}

/** Key, type and content, for docs/reference/keys.md. */
export const keyTable: readonly (readonly [key: string, type: string, holds: string])[] = [
  ...keyDeclarations.map(({ name, kind, holds }) => [`\`${name}\``, kind, holds] as const),
  [
    `\`${jobsPrefix}:*\``,
    '–',
    `BullMQ; \`${jobsPrefix}:idempotency:<hash>\`: the job an Idempotency-Key stands for, for 24 h; \`${jobsAliveKey}\`: exists while a process runs the role \`jobs\``,
  ],
  ['`adopted:<key>`', '–', 'built by `orders adopt`, to replace the key in one step'],
  ['`rebuild:new:<run>:<key>`', '–', 'built by `orders rebuild` from the archive, to correct the key in one step'],
]
