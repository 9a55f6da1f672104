import { jobsPrefix, keyPatterns } from '../../keys.ts'
import { type Actor, actors, extrasOf, nameIn, neededBy, neededOfCluster, newerExtrasOf } from './commands.ts'

/** Where Redis is a cluster, and where keys have partitions. */
export interface Layout {
  readonly cluster: boolean
  readonly partitioned: boolean
}

/** A user for each actor, and one for all of it, as `orders start` runs it. */
export const users: readonly (readonly [name: string, who: readonly Actor[]])[] = [
  ...actors.map((actor) => [`orders-${actor}`, [actor]] as const),
  ['orders', actors],
]

/** What to allow, as words of ACL SETUSER: the keys, then the commands. */
export function rulesFor(who: readonly Actor[], { cluster, partitioned }: Layout): string[] {
  const samples = [...neededBy(who), ...(cluster ? neededOfCluster(who) : []), ...extrasOf(who)]
  const keys = keyPatterns(partitioned).filter((pattern) => !pattern.startsWith(jobsPrefix) || who.some(worksWithJobs))
  return [...keys.map((pattern) => `~${pattern}`), ...samples.map(allow)]
}

const worksWithJobs = (actor: Actor): boolean => ['jobs', 'api', 'operator'].includes(actor)

/** A right to one command, in small letters as Redis lists them. */
export const allow = (sample: string): string => `+${nameIn(sample).toLowerCase()}`

/** For people: a line to run for each user. */
export function aclLines(layout: Layout): string[] {
  return users.map(([name, who]) => `ACL SETUSER ${name} on '>password' ${rulesFor(who, layout).join(' ')}`)
}

/** Lines to run as well on Redis 7.2 or newer. */
export const newerAclLines = (): string[] =>
  users.map(([name, who]) => `ACL SETUSER ${name} ${newerExtrasOf(who).map(allow).join(' ')}`)
