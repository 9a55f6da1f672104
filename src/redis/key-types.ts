import {
  type ControlKeys,
  incidentsKey,
  type Keys,
  keyDeclarations,
  keysOfPartition,
  lockKey,
  manifestKey,
} from '../keys.ts'
import type { RedisClient } from './client.ts'

/** A key of the pipeline that another client has given another type. */
export interface WrongType {
  readonly key: string
  readonly found: string
  readonly expected: string
}

const types = keyDeclarations.map(({ name, kind }): [RegExp, string] => {
  return [new RegExp(`^(\\{p\\d+\\}:)?(moved:|adopted:)?${name.replace(/<\w+>/g, '.+')}$`, 's'), kind]
})

/** Returns the type of a key of the pipeline; undefined for every other key. */
export function typeOfKey(key: string): string | undefined {
  return types.find(([pattern]) => pattern.test(key))?.[1]
}

/** Returns the keys of the pipeline, except those of users, orders, jobs and times, which are many. */
export function namedKeys(
  partitions: readonly Keys[],
  control: ControlKeys,
  pipeline: Parameters<typeof keysOfPartition>[1],
): readonly string[] {
  return [
    ...partitions.flatMap((keys) => keysOfPartition(keys, pipeline)),
    ...Object.values(control).filter((name) => typeof name === 'string'),
    ...pipeline.names.flatMap((stage) => [control.members(stage), control.leases(stage)]),
    ...[manifestKey, incidentsKey, lockKey],
  ]
}

/** Returns the keys that have the wrong type. A missing key has none. */
export async function wrongTypes(redis: RedisClient, keys: readonly string[]): Promise<WrongType[]> {
  const all = keys.flatMap((key) => ({ key, expected: typeOfKey(key) }))
  const checks = all.map(async ({ key, expected }): Promise<WrongType[]> => {
    const found = expected === undefined ? 'none' : await redis.type(key)
    return expected === undefined || found === 'none' || found === expected ? [] : [{ key, found, expected }]
  })
  return (await Promise.all(checks)).flat()
}

/** Returns a clause that names the wrong type of the key. */
export const wrongTypeText = ({ key, found, expected }: WrongType): string => `${key} is a ${found}, not a ${expected}`
