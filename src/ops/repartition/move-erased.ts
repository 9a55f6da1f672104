import type { Move } from './move.ts'

/**
 * Copies the hashes of erased users into every new partition: they do not say in which one a user is, and do no harm in the
 * others.
 */
export async function moveErased({ redis, from, to, alive }: Move): Promise<void> {
  const all = await Promise.all(from.map((keys) => redis.hgetall(keys.erased)))
  const erased: Record<string, string> = Object.assign({}, ...all)
  if (Object.keys(erased).length === 0) return
  await alive()
  await Promise.all(to.map((keys) => redis.hset(keys.erased, erased)))
}
