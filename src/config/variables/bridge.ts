import { z } from 'zod'
import { type EnvelopeKind, envelopeKinds } from '../../messages.ts'
import { count, define, text, withDefault } from '../variable.ts'

/** The event that the deletion of a message from SQS waits for. */
export type DeleteAfter =
  | { readonly kind: 'write' | 'fsync' }
  | { readonly kind: 'replicas'; readonly replicas: number }

export const bridgeVariables = {
  bridgePollers: count(
    'BRIDGE_POLLERS',
    16,
    64,
    'SQS pollers per bridge process; each holds at most one receive of 10 messages.',
  ),
  sqsWaitTimeSeconds: count('SQS_WAIT_TIME_SECONDS', 20, 20, 'Long poll of an empty queue.', 's'),
  sqsVisibilityTimeoutSeconds: count(
    'SQS_VISIBILITY_TIMEOUT_SECONDS',
    30,
    43_200,
    'Time for which SQS hides a received message before it delivers it again.',
    's',
    5,
  ),
  sqsTransport: define({
    name: 'SQS_TRANSPORT',
    unit: 'name',
    expected: '`sdk` or `thin`',
    about:
      "Client for SQS: the AWS SDK, or a thin client with the SDK's region, endpoint and credentials, for half the CPU.",
    schema: withDefault(z.enum(['sdk', 'thin']), 'sdk'),
  }),
  sqsDeleteAfter: define({
    name: 'SQS_DELETE_AFTER',
    unit: 'event',
    expected: '`write`, `fsync` or `replicas:N` with N from 1 to 9',
    unset: '`fsync` if Redis has an append-only file, else `write`',
    about:
      'Point at which a message is deleted from SQS: once Redis has replied to the write, once it is on disk, or once N replicas have it.',
    schema: text
      .regex(/^(write|fsync|replicas:[1-9])$/)
      .transform((given): DeleteAfter => {
        const [kind, replicas] = given.split(':')
        return kind === 'replicas' ? { kind, replicas: Number(replicas) } : { kind: kind === 'fsync' ? kind : 'write' }
      })
      .optional(),
  }),
  envelopes: define({
    name: 'ENVELOPES',
    unit: 'list',
    expected: `\`auto\`, \`off\`, or some of ${envelopeKinds.map((kind) => `\`${kind}\``).join(', ')}, separated by commas`,
    unset: '`auto`: all kinds',
    about:
      'Envelopes that the bridge opens if an order is in them: SNS, EventBridge, CloudEvents, encodings, and pointers to S3.',
    schema: withDefault(
      text.transform((given) => (given === 'auto' ? [...envelopeKinds] : given === 'off' ? [] : given.split(','))),
      [...envelopeKinds],
    )
      .pipe(z.array(z.enum(envelopeKinds)))
      .transform((kinds): ReadonlySet<EnvelopeKind> => new Set(kinds)),
  }),
  ordersPerBody: define({
    name: 'ORDERS_PER_BODY',
    unit: 'name',
    expected: '`one` or `many`',
    about:
      'With `many` each order of a list, of lines, of `{"orders":[…]}` or of objects one behind the other is judged alone.',
    schema: withDefault(z.enum(['one', 'many']), 'one'),
  }),
  highWaterOrders: count(
    'HIGH_WATER_ORDERS',
    100_000,
    100_000_000,
    'Number of orders waiting in Redis (checked every 250 ms) at which the bridge stops receiving; it resumes a fifth below.',
    'orders',
  ),
  highWaterMemory: count(
    'HIGH_WATER_MEMORY',
    80,
    100,
    'Share of `maxmemory` in use at which the bridge stops receiving; it resumes a fifth below (80: below 64 %). No effect without `maxmemory`.',
    '%',
  ),
}
