import { adoptedPattern, jobsPrefix, keyPatterns } from '../../keys.ts'
import { type Actor, actors, extrasOf, nameIn, neededBy, neededOfCluster, newerExtrasOf } from './commands.ts'

/** Describes Redis and its keys: whether it is a cluster, and whether keys have partitions. */
export interface Layout {
  readonly cluster: boolean
  readonly partitioned: boolean
}

/** Names a user for each actor, and one for all of them, as `orders start` needs. */
export const users: readonly (readonly [name: string, who: readonly Actor[]])[] = [
  ...actors.map((actor) => [`orders-${actor}`, [actor]] as const),
  ['orders', actors],
]

/** Returns the rules for ACL SETUSER: the allowed keys, then the commands. */
export function rulesFor(who: readonly Actor[], { cluster, partitioned }: Layout): string[] {
  const samples = [...neededBy(who), ...(cluster ? neededOfCluster(who) : []), ...extrasOf(who)]
  const keys = keyPatterns(partitioned).filter((pattern) => who.some((actor) => uses(actor, pattern)))
  return [...keys.map((pattern) => `~${pattern}`), ...samples.map(allow)]
}

/** Returns whether an actor has keys of a pattern: jobs are not everyone's, and only `orders adopt` builds adopted keys. */
function uses(actor: Actor, pattern: string): boolean {
  if (pattern === adoptedPattern) return actor === 'operator'
  return !pattern.startsWith(jobsPrefix) || ['jobs', 'api', 'operator'].includes(actor)
}

/** Returns the rule for one command, in lower case as Redis lists it. */
export const allow = (sample: string): string => `+${nameIn(sample).toLowerCase()}`

/** Returns the line that creates each user. */
export function aclLines(layout: Layout): string[] {
  return users.map(([name, who]) => `ACL SETUSER ${name} on '>password' ${rulesFor(who, layout).join(' ')}`)
}

/** Returns more lines, for Redis 7.2 or newer. */
export const newerAclLines = (): string[] =>
  users.map(([name, who]) => `ACL SETUSER ${name} ${newerExtrasOf(who).map(allow).join(' ')}`)
