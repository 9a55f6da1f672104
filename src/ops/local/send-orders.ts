import { setTimeout as sleep } from 'node:timers/promises'
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { OrdersError } from '../../errors.ts'
import { openQueue, type Queue, queuePlace } from '../../ingest/sqs/queue.ts'
import { defineCommand, flag, wholeNumber } from '../command.ts'
import { type Progress, progressOn } from '../terminal/progress.ts'
import { withRunning } from './running-system.ts'
import { sampleOrders } from './sample-orders.ts'

/** SendMessageBatch takes at most ten messages and 1 MiB. */
const batchSize = 10
/** Eight calls in flight keep an SQS with 10 ms round trips at some 8,000 messages a second. */
const inFlight = 8
/** A message that SQS refuses so often is not accepted for a reason that does not pass. */
const maxAttempts = 5

/**
 * Sends bodies to the queue.
 * @param rate messages a second; undefined is as fast as SQS takes them
 * @throws OrdersError ORD_SQS when SQS refuses a message for good.
 */
export async function populate(
  queue: Queue,
  bodies: Iterable<string>,
  { rate, progress }: { rate?: number | undefined; progress: Progress },
  signal: AbortSignal,
): Promise<number> {
  const batches = batchesOf(bodies)
  const started = performance.now()
  let taken = 0
  let sent = 0
  const sender = async (): Promise<void> => {
    for (const batch of batches) {
      const dueMs = rate === undefined ? 0 : (taken / rate) * 1_000 - (performance.now() - started)
      taken += batch.length
      if (dueMs > 0) await sleep(dueMs, undefined, { signal })
      signal.throwIfAborted()
      await send(queue, batch, signal)
      sent += batch.length
      progress.show(sent)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, sender))
  return sent
}

/** SQS may take some messages of a batch and refuse others; those are sent again. */
async function send({ sqs, url }: Queue, bodies: readonly string[], abortSignal: AbortSignal): Promise<void> {
  let left = bodies.map((body, index) => ({ Id: String(index), MessageBody: body }))
  for (let attempt = 1; left.length > 0; attempt++) {
    const command = new SendMessageBatchCommand({ QueueUrl: url, Entries: left })
    const { Failed = [] } = await sqs.send(command, { abortSignal })
    const [failed] = Failed
    if (failed && (failed.SenderFault || attempt === maxAttempts)) {
      throw new OrdersError('ORD_SQS', `SQS refused a message (${failed.Code}: ${failed.Message}).`)
    }
    left = left.filter(({ Id }) => Failed.some((entry) => entry.Id === Id))
  }
}

function* batchesOf(bodies: Iterable<string>): Generator<string[]> {
  let batch: string[] = []
  for (const body of bodies) {
    batch.push(body)
    if (batch.length === batchSize) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

export const populateCommand = defineCommand({
  name: 'populate',
  about: 'Sends sample orders to the queue, the same ones for the same seed; or one message of your own.',
  options: {
    body: {
      hint: 'TEXT',
      about: 'sends this one message, whatever it is, and no sample orders',
      expected: 'a text that is not empty',
      schema: z.string().min(1).optional(),
    },
    valid: wholeNumber('orders that keep every rule', 50),
    invalid: wholeNumber('orders that break one', 10),
    users: wholeNumber('how many users order', 100, { min: 1 }),
    seed: {
      hint: 'N',
      about: 'which orders (default random, so that each run sends new ones)',
      expected: 'a whole number from 0 to 4294967295',
      schema: z
        .string()
        .regex(/^\d{1,10}$/)
        .transform(Number)
        .pipe(z.int().max(2 ** 32 - 1))
        .optional(),
    },
    aws: flag('sends to AWS itself, where no AWS_ENDPOINT_URL is set'),
    rate: {
      hint: 'N',
      about: 'messages a second (default as fast as SQS takes them)',
      expected: 'a whole number from 1 to 1000000',
      schema: z
        .string()
        .regex(/^[1-9]\d{0,6}$/)
        .transform(Number)
        .optional(),
    },
  },
  run: async ({ config, options, signal, print }) => {
    const { body, rate, aws, seed = Math.floor(Math.random() * 2 ** 32), ...samples } = options
    const here = withRunning(config)
    if (here.awsEndpointUrl === undefined && !aws) {
      const told = 'No system runs in this folder and AWS_ENDPOINT_URL is not set'
      throw new OrdersError(
        'ORD_LOCAL',
        `${told}: run npm start first, or say --aws to send sample orders to AWS itself.`,
      )
    }
    using queue = await openQueue(here, signal)
    const where = queuePlace(here)
    if (body !== undefined) {
      await send(queue, [body], signal)
      return print(`Sent one message to ${where}.`)
    }
    const total = samples.valid + samples.invalid
    const progress = progressOn(process.stdout, 'sent', total)
    await populate(queue, bodies(sampleOrders({ ...samples, seed })), { rate, progress }, signal)
    progress.end()
    print(`Sent ${samples.valid} valid and ${samples.invalid} invalid orders to ${where}, seed ${seed}.`)
  },
})

function* bodies(samples: Iterable<{ body: string }>): Generator<string> {
  for (const { body } of samples) yield body
}
