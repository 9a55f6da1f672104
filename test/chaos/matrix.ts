import type { Trigger } from '../support/strike.ts'

/** Faults that can strike at a step. */
export const faults = {
  killed: 'the process is killed (`kill -9`)',
  redis: 'Redis is killed and restarts on its append-only file',
  sqs: 'SQS is unreachable for a moment',
  stopped: 'the process is suspended past all its deadlines, then resumes',
} as const
export type Fault = keyof typeof faults

/**
 * Names the consequence of a fault. Each order is counted once in every case. `repeats`: messages were written to Redis twice,
 * and the ledger recognized the duplicates. `claims` and `stale`: events of the stages. Undefined allows either.
 */
export interface Consequence {
  /** In the table of docs/guarantees.md. */
  readonly text: string
  readonly repeats?: boolean
  readonly claims?: boolean
  readonly stale?: boolean
}

export const consequences = {
  nothing: { text: 'nothing is repeated', repeats: false, claims: false, stale: false },
  again: { text: 'SQS delivers it again, and it is counted then', repeats: false },
  known: { text: 'SQS delivers it again; the repeat is a duplicate', repeats: true },
  rewritten: { text: 'written once Redis is back; the repeat is a duplicate', repeats: true },
  resumed: { text: 'continues once it is back', repeats: false },
  claimed: { text: 'another consumer claims and commits it', repeats: false, claims: true, stale: false },
  stale: {
    text: 'another consumer claims and commits it; the late commit changes nothing',
    repeats: false,
    claims: true,
    stale: true,
  },
} as const satisfies Record<string, Consequence>
export type ConsequenceName = keyof typeof consequences

export interface Step {
  /** Names the place of the process in its code: between two awaits. */
  readonly name: string
  readonly role: string
  readonly trigger: Trigger
  readonly then: Readonly<Partial<Record<Fault, ConsequenceName>>>
}

const bridge = (name: string, trigger: Trigger, then: Step['then']): Step => ({ name, role: 'bridge', trigger, then })

/** Every await between the receive of a message and its deletion. */
const ofBridge: readonly Step[] = [
  bridge(
    'received, but the answer is not read',
    { call: 'ReceiveMessage' },
    {
      killed: 'again',
      redis: 'rewritten',
      sqs: 'resumed',
      stopped: 'known',
    },
  ),
  bridge(
    'received, the write not sent',
    { event: 'received' },
    {
      killed: 'again',
      redis: 'rewritten',
      sqs: 'resumed',
      stopped: 'known',
    },
  ),
  bridge(
    'the write sent, its answer not read',
    { event: 'received', after: true },
    {
      killed: 'known',
      redis: 'rewritten',
      sqs: 'resumed',
      stopped: 'known',
    },
  ),
  bridge(
    'written, not known to be on disk',
    { event: 'enqueued' },
    {
      killed: 'known',
      redis: 'rewritten',
      sqs: 'resumed',
      stopped: 'known',
    },
  ),
  bridge(
    'on disk, the deletion not sent',
    { event: 'durable' },
    {
      killed: 'known',
      redis: 'resumed',
      sqs: 'resumed',
      stopped: 'known',
    },
  ),
  bridge(
    'deleted, the answer not read',
    { call: 'DeleteMessageBatch' },
    {
      killed: 'nothing',
      redis: 'resumed',
      sqs: 'resumed',
      stopped: 'nothing',
    },
  ),
  bridge('deleted', { event: 'deleted' }, { killed: 'nothing', redis: 'resumed', sqs: 'resumed', stopped: 'nothing' }),
]

/**
 * Every await between the read of an entry and what follows its commit.
 * @param plans of an entry with a correction: the ledger differs from what the first stage expects at first
 */
function ofStage(role: string, plans = 1): Step[] {
  const step = (name: string, trigger: Trigger, then: Step['then']): Step => ({
    name: `${role}: ${name}`,
    role,
    trigger,
    then,
  })
  return [
    step(
      'read, not decided',
      { event: 'read', stage: role },
      { killed: 'claimed', redis: 'resumed', stopped: 'stale' },
    ),
    step(
      'decided, the commit not sent',
      { event: 'planned', stage: role, nth: plans },
      {
        killed: 'claimed',
        redis: 'resumed',
        stopped: 'stale',
      },
    ),
    step(
      'the commit sent, its answer not read',
      { event: 'planned', stage: role, nth: plans, after: true },
      {
        killed: 'nothing',
        redis: 'resumed',
        stopped: 'nothing',
      },
    ),
    ...(plans > 1
      ? [
          step(
            'the commit sent, its refusal not read: the ledger differs',
            { event: 'planned', stage: role, after: true },
            { killed: 'claimed', redis: 'resumed', stopped: 'stale' },
          ),
        ]
      : []),
    step('committed', { event: 'committed', stage: role }, { killed: 'nothing', redis: 'resumed', stopped: 'nothing' }),
    step('trimmed', { event: 'trimmed', stage: role }, { killed: 'nothing', redis: 'resumed', stopped: 'nothing' }),
  ]
}

export const steps: readonly Step[] = [
  ...ofBridge,
  ...ofStage('validate', 2),
  ...['calendar', 'aggregate', 'leaderboard'].flatMap((role) => ofStage(role)),
]

/** Markdown: step × fault → what comes of it. */
export function matrixTable(): string {
  const names = Object.keys(faults) as Fault[]
  const rows = steps.map(({ name, then }) => [
    name,
    ...names.map((fault) => {
      const consequence = then[fault]
      return consequence ? consequences[consequence].text : '–'
    }),
  ])
  const head = ['step', ...names.map((fault) => faults[fault])]
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
