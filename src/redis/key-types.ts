import { type ControlKeys, type Keys, keyTable, manifestKey, repartitionKey } from '../keys.ts'
import { rejectGroupNames } from '../messages.ts'
import type { RedisClient } from './client.ts'

/** A key of ours that another client has given another type. */
export interface WrongType {
  readonly key: string
  readonly found: string
  readonly expected: string
}

/** Names of our keys, as the table of the README has them, and the type of each. */
const types = keyTable.flatMap(([names, kinds]): [RegExp, string][] => {
  const [first = '', ...others] = kinds.split(', ')
  const patterns = [...names.matchAll(/`([^`{]+)`/g)].map(([, name = '']) => name.replace(/<\w+>/g, '.+'))
  return patterns.map((pattern, at) => [
    new RegExp(`^(\\{p\\d+\\}:)?(moved:|adopted:)?${pattern}$`, 's'),
    others[at - 1] ?? first,
  ])
})

/** The type that a key of ours has; undefined for every other key. */
export function typeOfKey(key: string): string | undefined {
  return types.find(([pattern]) => pattern.test(key))?.[1]
}

/** Our keys, but for those of users, orders, jobs and times, which are without number. */
export function namedKeys(
  partitions: readonly Keys[],
  control: ControlKeys,
  stages: readonly string[],
): readonly string[] {
  const ofPartition = (keys: Keys): unknown[] => [
    ...Object.values(keys),
    ...rejectGroupNames.map(keys.invalidGroup),
    ...stages.map(keys.done),
  ]
  const all = [
    ...partitions.flatMap((keys) => [...ofPartition(keys), ...Object.values(keys.stream)]),
    ...[...Object.values(control), ...stages.flatMap((stage) => [control.members(stage), control.leases(stage)])],
    ...[manifestKey, repartitionKey],
  ]
  return all.filter((key) => typeof key === 'string').filter((key) => typeOfKey(key) !== undefined)
}

/** Which of the keys have another type than they must; a key that is not there has none. */
export async function wrongTypes(redis: RedisClient, keys: readonly string[]): Promise<WrongType[]> {
  const all = keys.flatMap((key) => ({ key, expected: typeOfKey(key) }))
  const asked = all.map(async ({ key, expected }): Promise<WrongType[]> => {
    const found = expected === undefined ? 'none' : await redis.type(key)
    return expected === undefined || found === 'none' || found === expected ? [] : [{ key, found, expected }]
  })
  return (await Promise.all(asked)).flat()
}

/** A clause: what is wrong with the key. */
export const wrongTypeText = ({ key, found, expected }: WrongType): string => `${key} is a ${found}, not a ${expected}`
