import type { Config } from '../../config/config.ts'
import { everysecMs, type Proof } from '../../ingest/proof/proof.ts'
import type { QueueState } from '../../ingest/sqs/queue.ts'
import { countText } from '../../reads/count-text.ts'
import { sqsClock } from './clocks.ts'
import { type Finding, ok, unread, warning } from './finding.ts'

/** Compares the visibility timeout with the time that a message may take until it is deleted. */
export function visibilityTimeout(config: Config, proof: Proof): Finding {
  const check = 'visibility timeout'
  const given = config.sqsVisibilityTimeoutSeconds
  const takes = ((proof.by === 'age' ? everysecMs : 0) + config.stopGraceMs) / 1_000
  const found = `${given} s; a message may take ${takes} s until it is deleted`
  if (given >= 2 * takes) return ok(check, found)
  return warning(
    check,
    found,
    `Set SQS_VISIBILITY_TIMEOUT_SECONDS to ${Math.ceil(2 * takes)} or more, or SQS delivers messages again.`,
  )
}

/** With fewer, an outage of a minute sends good messages to the dead-letter queue. */
const minReceives = 3

/**
 * @param where the queue's name and address
 * @param missing a sentence for a queue that is missing and that no bridge creates
 */
export function judgeQueue(state: QueueState, where: string, missing?: string): Finding[] {
  if (state.status === 'missing') {
    if (missing) return [{ check: 'queue', level: 'error', found: missing }]
    return [warning('queue', `${where} is missing`, 'No action needed: the first bridge that starts creates it.')]
  }
  const clock = state.clock ? [sqsClock(state.clock)] : []
  if (state.status === 'unreadable') {
    const allow = 'allow sqs:GetQueueAttributes, or check the redrive policy and the dead-letter queue in AWS'
    return [ok('queue', where), unread('redrive policy', allow), ...clock]
  }
  const queue = ok('queue', `${where}, ${plural(state.messages, 'message')}`)
  return [queue, redrivePolicy(state), ...deadLetters(state), ...clock]
}

type Found = Extract<QueueState, { status: 'found' }>

function redrivePolicy({ maxReceiveCount }: Found): Finding {
  const check = 'redrive policy'
  const advice = `Give the queue a dead-letter queue with a maxReceiveCount of ${minReceives} or more`
  if (maxReceiveCount === undefined)
    return warning(check, 'none', `${advice}: without it, SQS redelivers a message that cannot be processed forever.`)
  const found = `maxReceiveCount ${maxReceiveCount}`
  if (maxReceiveCount >= minReceives) return ok(check, found)
  return warning(check, found, `${advice}: with fewer, a short outage sends good messages there.`)
}

function deadLetters({ maxReceiveCount, deadLetters }: Found): Finding[] {
  const check = 'dead letters'
  if (maxReceiveCount === undefined) return []
  if (deadLetters === undefined) return [unread(check, 'check the dead-letter queue in AWS')]
  if (deadLetters === 0) return [ok(check, 'none')]
  return [
    warning(
      check,
      plural(deadLetters, 'message'),
      'Find out why they were not processed, then redrive them to the queue.',
    ),
  ]
}

const plural = (count: number, noun: string): string => `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
