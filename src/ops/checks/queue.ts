import type { QueueState } from '../../ingest/sqs/queue.ts'
import { type Finding, ok, unread, warning } from './finding.ts'
import { isFrom, type ServerCheck } from './redis.ts'

/** Before 7.2 Redis cannot say when it has synced its file (WAITAOF); two seconds later it has. */
const settleSeconds = 2

/** What the bridge asks of SQS at each receive, against how long a message may take until it is deleted. */
export const visibilityTimeout: ServerCheck = ({ info, settings }, config) => {
  const check = 'visibility timeout'
  const given = config.sqsVisibilityTimeoutSeconds
  const kind = config.sqsDeleteAfter?.kind ?? (info['aof_enabled'] === '1' ? 'fsync' : 'write')
  const settles = kind === 'fsync' && settings['appendfsync'] !== 'always' && !isFrom(7.02, info['redis_version'] ?? '')
  const takes = (settles ? settleSeconds : 0) + config.stopGraceMs / 1_000
  const found = `${given} s; a message may take ${takes} s until it is deleted`
  if (given >= 2 * takes) return ok(check, found)
  return warning(
    check,
    found,
    `Set SQS_VISIBILITY_TIMEOUT_SECONDS to ${Math.ceil(2 * takes)} or more, or messages come again.`,
  )
}

/** Fewer, and an outage of a minute sends good messages to the dead-letter queue. */
const leastReceives = 3

/** @param where the queue's name and address */
export function judgeQueue(state: QueueState, where: string): Finding[] {
  if (state.status === 'missing') {
    return [warning('queue', `${where} is missing`, 'Nothing to do: the first bridge that starts creates it.')]
  }
  if (state.status === 'unreadable') {
    const allow = 'allow sqs:GetQueueAttributes, or look at the redrive policy and the dead-letter queue'
    return [ok('queue', where), unread('redrive policy', allow)]
  }
  return [ok('queue', `${where}, ${plural(state.messages, 'message')}`), redrivePolicy(state), ...deadLetters(state)]
}

type Found = Extract<QueueState, { status: 'found' }>

function redrivePolicy({ maxReceiveCount }: Found): Finding {
  const check = 'redrive policy'
  const advice = `Give the queue a dead-letter queue with a maxReceiveCount of ${leastReceives} or more`
  if (maxReceiveCount === undefined)
    return warning(check, 'none', `${advice}: a message that cannot be taken in comes again for ever.`)
  const found = `maxReceiveCount ${maxReceiveCount}`
  if (maxReceiveCount >= leastReceives) return ok(check, found)
  return warning(check, found, `${advice}: now a short outage sends good messages there.`)
}

function deadLetters({ maxReceiveCount, deadLetters }: Found): Finding[] {
  const check = 'dead letters'
  if (maxReceiveCount === undefined) return []
  if (deadLetters === undefined) return [unread(check, 'look at the dead-letter queue')]
  if (deadLetters === 0) return [ok(check, 'none')]
  return [
    warning(
      check,
      plural(deadLetters, 'message'),
      'Look at why they were not taken in, then redrive them to the queue.',
    ),
  ]
}

const plural = (count: number, noun: string): string => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
