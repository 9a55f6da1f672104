import { z } from 'zod'
import { type RejectCode, rejectCodes } from '../../reject-codes.ts'
import { count, define, integer, text, withDefault } from '../variable.ts'

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const maxDelays = 20
const maxDelayMs = 30 * unitsMs.d

/** Reads a duration such as `10s` in ms. */
function durationMs(given: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(given.trim()) ?? []
  return count === '' ? Number.NaN : Number(count) * unitsMs[unit as keyof typeof unitsMs]
}

/** Declares a time of retention. */
const days = (name: string, about: string) =>
  define({
    name,
    unit: 'days',
    about,
    expected: 'a whole number from 1 to 36500',
    unset: 'for ever',
    schema: integer(1, 36_500).optional(),
  })

export const stagesVariables = {
  stageInFlight: count(
    'STAGE_IN_FLIGHT',
    4,
    16,
    'Maximum commits in flight per stage and process; only one while few records wait.',
  ),
  batchRecords: count('BATCH_RECORDS', 500, 5_000, 'Maximum records in one commit.', 'records'),
  blockMs: count(
    'BLOCK_MS',
    400,
    10_000,
    'Longest blocking read of a stream; a pause or a stop waits for it.',
    'ms',
    10,
  ),
  claimIdleMs: count(
    'CLAIM_IDLE_MS',
    10_000,
    3_600_000,
    'Time since the last delivery of a pending entry after which another consumer claims it.',
    'ms',
  ),
  ledgerDays: count(
    'LEDGER_DAYS',
    14,
    365,
    "Minimum time that an admitted order is remembered. 14 is SQS's longest retention. Fixed once Redis is set up.",
    'days',
  ),
  ledgerBuckets: count(
    'LEDGER_BUCKETS',
    65_536,
    16_777_216,
    'Buckets per generation of the ledger; best below 100 orders each. Fixed once Redis is set up.',
  ),
  retryCodes: define({
    name: 'RETRY_CODES',
    unit: 'list',
    expected: 'codes of rejections, separated by commas, or `off`',
    about:
      'The role `jobs` retries orders that were rejected with these codes by itself. Of later stages it retries none.',
    unset: '`unknown-order`',
    schema: withDefault(
      text
        .transform((given) => (given === 'off' ? [] : given.split(',').map((code) => code.trim())))
        .pipe(z.array(z.enum(rejectCodes)))
        .transform((codes): readonly RejectCode[] => [...new Set(codes)]),
      ['unknown-order'],
    ),
  }),
  retryDelays: define({
    name: 'RETRY_DELAYS',
    unit: 'list',
    expected: 'up to 20 times such as 10s, 5m, 6h or 1d, separated by commas, each at most 30d',
    about: 'How long after each rejection such an order is retried. After the last one it is given up.',
    unset: '`10s,1m,10m,1h,6h`',
    schema: withDefault(
      text
        .transform((given): readonly number[] => given.split(',').map(durationMs))
        .pipe(z.array(z.int().min(1).max(maxDelayMs)).max(maxDelays).readonly()),
      ['10s', '1m', '10m', '1h', '6h'].map(durationMs),
    ),
  }),
  invalidDays: days(
    'INVALID_DAYS',
    'How long a rejected order stays in the invalid channel. The role `jobs` removes older ones.',
  ),
  discardedDays: days('DISCARDED_DAYS', 'The same of rejected orders that an operator has discarded.'),
  jobLockMs: count(
    'JOB_LOCK_MS',
    10_000,
    600_000,
    'Time without a sign of life from a worker after which another one takes over its job.',
    'ms',
    500,
  ),
  jobVerdictMs: count(
    'JOB_VERDICT_MS',
    60_000,
    3_600_000,
    'Time that a job waits for the stages to judge its next order before the attempt fails.',
    'ms',
    100,
  ),
}
