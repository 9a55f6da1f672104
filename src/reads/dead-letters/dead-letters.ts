import type { Message } from '@aws-sdk/client-sqs'
import type { App } from '../../app.ts'
import { look } from '../../ingest/dead-letters/look.ts'
import { openObjects } from '../../ingest/envelope/objects.ts'
import { openingOf, openNow } from '../../ingest/envelope/received.ts'
import type { Queue } from '../../ingest/sqs/queue.ts'
import type { RawRecord } from '../../messages.ts'
import { type Judgement, openJudge } from './judge.ts'

/** An order of a dead letter, and the verdict that it would get now. */
export interface DeadLetter {
  readonly record: RawRecord
  /** When it was sent; undefined where SQS does not say. */
  readonly sentMs: number | undefined
  readonly verdict: Judgement
}

/** Judges up to `limit` messages as the bridge and the first stage would, step by step, and gives them back at the end. */
export async function* judgeDeadLetters(
  app: App,
  queue: Queue,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<DeadLetter[]> {
  using objects = openObjects(app)
  const judge = await openJudge(app)
  const opening = openingOf(app, objects)
  for await (const messages of look(queue, app.config, limit, signal)) {
    const letters: DeadLetter[] = []
    for (const message of messages) {
      for (const { record } of await openNow(message, opening, signal)) {
        letters.push({ record, sentMs: sentMsOf(message), verdict: await judge(record) })
      }
    }
    yield letters
  }
}

function sentMsOf({ Attributes }: Message): number | undefined {
  const ms = Number(Attributes?.SentTimestamp)
  return Number.isSafeInteger(ms) ? ms : undefined
}
