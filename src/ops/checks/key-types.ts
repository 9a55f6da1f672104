import type { App } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import { mastersOf, type RedisClient } from '../../redis/client.ts'
import { namedKeys, typeOfKey, type WrongType, wrongTypes, wrongTypeText } from '../../redis/key-types.ts'
import { unlessForbidden } from '../../redis/rights.ts'
import { pipeline } from '../../stages/pipeline.ts'
import { error, type Finding, ok, unread } from './finding.ts'

const check = 'key types'
/** Enough to see what happened; a script that went wrong may have spoiled thousands. */
const mostTold = 20

/** Whether our keys have the types that they must have: those with a name of their own, and with `all` every other one too. */
export async function keyTypes(app: App, which: { readonly all: boolean }): Promise<Finding[]> {
  try {
    return await examine(app, which)
  } catch (refusal) {
    if (!messageOf(refusal).startsWith('NOPERM')) throw refusal
    return [unread(check, 'let the user run TYPE and SCAN on every key')]
  }
}

async function examine(app: App, { all }: { readonly all: boolean }): Promise<Finding[]> {
  const { redis, partitions, control } = app
  const named = namedKeys(
    partitions,
    control,
    pipeline.map(({ name }) => name),
  )
  const others = all ? await unlessForbidden(Promise.all(mastersOf(redis).map(findOthers))) : []
  const unnamed = (others ?? []).flat().filter(({ key }) => !named.includes(key))
  const wrong = [...(await wrongTypes(redis, named)), ...new Map(unnamed.map((one) => [one.key, one])).values()]
  if (wrong.length === 0 && !others) return [unread(check, 'run orders doctor as a user that may use SCAN')]
  if (wrong.length === 0) return [ok(check, all ? 'all as they must be' : `${named.length} looked at`)]
  const more = wrong.length - mostTold
  const found = wrong.slice(0, mostTold).map((one) => error(check, wrongTypeText(one), advice(one)))
  return more > 0 ? [...found, error(check, `${more} more`, 'Mend these first.')] : found
}

/** A repair builds these anew of the users' totals. */
const repairable = /(global:stats|leaderboard:(spend|orders))$/

function advice({ key }: WrongType): string {
  const aside = `Another client wrote it: move it out of the way (RENAME ${key} ${key}:foreign)`
  if (repairable.test(key)) return `${aside}, then let orders verify --repair build it anew of the users' totals.`
  return `${aside}, and put what it held back from a backup; without one it begins empty.`
}

/** The keys that are without number (of users, orders, jobs, times) are hashes: what has another type is looked for. */
const others = ['string', 'list', 'set', 'zset', 'stream']
/** A step takes Redis some ms; of more keys than these steps see the rest goes unseen. */
const [stepKeys, mostSteps] = [10_000, 500]

async function findOthers(node: RedisClient): Promise<WrongType[]> {
  const found: WrongType[] = []
  for (const type of others) {
    let cursor = '0'
    for (let step = 0; step < mostSteps && (step === 0 || cursor !== '0'); step++) {
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
