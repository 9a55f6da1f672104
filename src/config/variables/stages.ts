import { count } from '../variable.ts'

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
