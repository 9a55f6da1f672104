import type { DeleteAfter } from '../../config/variables/bridge.ts'
import { type DurabilityFacts, everysecMs, type Proof } from '../../ingest/proof/proof.ts'
import type { Service } from '../../redis/service.ts'
import { error, type Finding, ok, warning } from './finding.ts'

/** Describes when the bridge deletes messages. */
export interface Deletions {
  /** SQS_DELETE_AFTER, if it is set. */
  readonly wanted: DeleteAfter | undefined
  readonly facts: DurabilityFacts
  readonly proof: Proof
  readonly service: Service | undefined
}

const check = 'durability'

/** Says in one sentence which guarantee is in force for a message that is deleted from SQS. */
export function durability({ wanted, facts, proof, service }: Deletions): Finding {
  if (proof.by === 'nothing') return error(check, proof.why, proof.advice)
  if (facts.file === 'on' && !facts.writesFile)
    return error(check, 'the last write to the append-only file failed', diskAdvice)
  if (proof.by === 'WAIT') return ok(check, deletedOnce(`${replicas(proof.replicas)} its order (WAIT)`))
  if (proof.by === 'reply') return onReply(wanted, facts, service)
  const how = proof.by === 'WAITAOF' ? 'WAITAOF' : `${everysecMs / 1_000} s after the write, if no fsync is outstanding`
  const found = deletedOnce(`its order is on the disk of Redis (${how})`)
  if (facts.fsync === 'no' && proof.by === 'WAITAOF') return error(check, 'appendfsync no', neverSyncedAdvice)
  if (facts.fsync === 'no') return (wanted ? error : warning)(check, 'appendfsync no', everysecAdvice)
  if (proof.by === 'age' && facts.fsync === undefined)
    return warning(check, found, 'Make sure that appendfsync, which cannot be read, is everysec or always.')
  return ok(check, found)
}

const deletedOnce = (event: string): string => `a message is deleted from SQS once ${event}`
const replicas = (count: number): string => (count === 1 ? '1 replica has' : `${count} replicas have`)
const diskAdvice = "Make room on Redis' disk; its log shows the error."
const everysecAdvice = 'Set appendfsync everysec: without it, messages are deleted before their orders are on disk.'

/** Redis counts only what it has synced itself. */
const neverSyncedAdvice =
  'Set appendfsync everysec, or SQS_DELETE_AFTER=write: no message would be deleted from SQS, because WAITAOF waits forever.'

/** A message is deleted once Redis has replied. What that is worth depends on what Redis does then. */
function onReply(wanted: DeleteAfter | undefined, facts: DurabilityFacts, service: Service | undefined): Finding {
  if (facts.file === 'on') return ok(check, deletedOnce(`Redis has replied: ${atRisk(facts.fsync)}`))
  if (service === 'MemoryDB')
    return ok(check, 'MemoryDB: an acknowledged write is durable in several zones, and messages are deleted after it')
  const { found, remedy } = (service && riskOf[service]) ?? (facts.file === 'off' ? fileless : unseen)
  const inForce = `${found}: \`write\` is in force`
  if (wanted) return ok(check, `${inForce}, as SQS_DELETE_AFTER says`)
  const accept = 'write accepts that Redis may lose orders'
  const ways = facts.wait
    ? `SQS_DELETE_AFTER: replicas:1 waits for a replica, ${accept}`
    : `SQS_DELETE_AFTER: ${accept}`
  return warning(check, inForce, `${remedy}, or set ${ways}.`)
}

interface Risk {
  readonly found: string
  readonly remedy: string
}

const fileless: Risk = { found: 'no append-only file', remedy: 'Turn on appendonly' }
const unseen: Risk = { found: 'cannot see whether there is an append-only file', remedy: 'Allow INFO' }

/** From the manuals of the services. */
const riskOf: { readonly [S in Service]?: Risk } = {
  ElastiCache: {
    found: 'ElastiCache can lose the last writes in a failover, unless its durability is sync',
    remedy: 'Create it with durability sync',
  },
  'ElastiCache Serverless': {
    found: 'ElastiCache Serverless keeps no durable log and can lose the last writes in a failover',
    remedy: 'Use MemoryDB',
  },
}

function atRisk(fsync: string | undefined): string {
  if (fsync === 'always') return 'nothing is lost, as fsync comes before the reply'
  if (fsync === 'everysec') return 'up to a second of orders can be lost'
  if (fsync === 'no') return 'orders that the system has not written to disk yet can be lost'
  return 'orders that are not on its disk yet can be lost'
}
