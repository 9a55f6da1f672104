import type { App } from '../../app.ts'
import type { RedisClient } from '../../redis/client.ts'
import { mastersOf } from '../../redis/cluster.ts'
import { isForbidden, unlessForbidden } from '../../redis/errors.ts'
import { namedKeys, typeOfKey, type WrongType, wrongTypes, wrongTypeText } from '../../redis/key-types.ts'
import { error, type Finding, ok, unread } from './finding.ts'

const check = 'key types'
/** Enough to see what happened; a script that went wrong may have overwritten thousands. */
const maxShown = 20

/** Checks that our keys have the right types: the keys with a fixed name, and with `all` every other key too. */
export async function keyTypes(app: App, which: { readonly all: boolean }): Promise<Finding[]> {
  try {
    return await examine(app, which)
  } catch (refusal) {
    if (!isForbidden(refusal)) throw refusal
    return [unread(check, 'allow the user TYPE and SCAN on every key')]
  }
}

async function examine(app: App, { all }: { readonly all: boolean }): Promise<Finding[]> {
  const { redis, partitions, control, pipeline } = app
  const named = namedKeys(partitions, control, pipeline)
  const others = all ? await unlessForbidden(Promise.all(mastersOf(redis).map(findOthers))) : []
  const unnamed = (others ?? []).flat().filter(({ key }) => !named.includes(key))
  const wrong = [...(await wrongTypes(redis, named)), ...new Map(unnamed.map((one) => [one.key, one])).values()]
  if (wrong.length === 0 && !others) return [unread(check, 'run orders doctor as a user that may use SCAN')]
  if (wrong.length === 0) return [ok(check, all ? 'all as they must be' : `${named.length} checked`)]
  const more = wrong.length - maxShown
  const found = wrong.slice(0, maxShown).map((one) => error(check, wrongTypeText(one), advice(one)))
  return more > 0 ? [...found, error(check, `${more} more`, 'Fix these first.')] : found
}

/** Keys that a repair rebuilds from the users' totals. */
const repairable = /(global:stats|leaderboard:(spend|orders))$/

function advice({ key }: WrongType): string {
  const aside = `Another client wrote it: move it out of the way (RENAME ${key} foreign:${key})`
  if (repairable.test(key))
    return `${aside}, then run orders verify --repair, which rebuilds it from the users' totals.`
  return `${aside}, and restore it from a backup; without one it starts empty.`
}

/** Keys without a fixed name (of users, orders, jobs, times) are hashes, so the scan asks for all other types. */
const others = ['string', 'list', 'set', 'zset', 'stream']
/** A step costs Redis a few ms. Keys beyond the last step are not checked. */
const [stepKeys, maxSteps] = [10_000, 500]

async function findOthers(node: RedisClient): Promise<WrongType[]> {
  const found: WrongType[] = []
  for (const type of others) {
    let cursor = '0'
    for (let step = 0; step < maxSteps && (step === 0 || cursor !== '0'); step++) {
      const [next, keys] = await node.scan(cursor, 'COUNT', stepKeys, 'TYPE', type)
      cursor = next
      for (const key of keys) {
        const expected = typeOfKey(key)
        if (expected !== undefined && expected !== type) found.push({ key, found: type, expected })
      }
    }
  }
  return found
}
