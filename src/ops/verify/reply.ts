import { z } from 'zod'
import { booksOf, booksReply } from '../../api/replies/books.ts'
import { minor } from '../../api/replies/status.ts'
import { openIncident } from '../../control/incidents.ts'
import { type Money, noSum, type Sum } from '../../order/money.ts'
import type { CalendarCheck } from '../calendar/check.ts'
import type { DeepCheck } from './compare-scores.ts'
import type { LedgerLoss } from './ledger-losses.ts'
import type { Verification } from './verification.ts'

const verdict = z.enum(['right', 'wrong', 'undecided'])

/** Numbers beyond 2^53 are rounded. */
const sum = z.object({ orders: z.number(), revenue_minor: minor })

const deep = z.object({
  verdict,
  users: z.int(),
  /** All at one moment; null if it could not be determined. */
  sums: z.object({ users: sum, global: sum, leaderboards: sum }).nullable(),
  wrong_users: z.int(),
  /** The first of them. */
  examples: z.array(
    z.object({
      user_id: z.string(),
      order_count: z.number().nullable(),
      total_spend_minor: minor.nullable(),
      score_orders: z.number().nullable(),
      score_spend_minor: minor.nullable(),
    }),
  ),
  undecided_users: z.int(),
  differences: z.array(z.string()),
})

const loss = z.object({
  partition: z.int().nullable(),
  generation: z.int(),
  lost: z.int(),
  exact: z.boolean(),
  of: z.int(),
})

/** The reply of `orders verify --json`. Parts that were not asked for are absent. */
export const verificationReply = z.object({
  verdict,
  books: booksReply,
  deep: deep.optional(),
  ledger: z.array(loss).optional(),
  calendar: z
    .object({
      verdict,
      wrong_scores: z.int(),
      /** When it began; null before. */
      since: z.iso.datetime().nullable(),
      /** Counted before it began, and in no day. */
      before: sum,
      /** All that it has counted, in days that are no longer kept too. */
      days: sum,
      /** The part of the totals beyond both; null if it is not known. */
      missing: sum.nullable(),
      differences: z.array(z.string()),
      notes: z.array(z.string()),
    })
    .optional(),
  incidents: z.array(openIncident),
  acknowledged: z
    .object({ incidents: z.array(openIncident), ledger: z.array(loss), days: z.array(z.string()) })
    .optional(),
  repaired: z.object({ users: z.int(), scored: z.int(), before: sum, after: sum, found: deep }).optional(),
  calendar_repaired: z.int().optional(),
  written_off: z.object({ booked: z.boolean(), orders: z.record(z.string(), z.int()) }).optional(),
})

export function verificationOf(verification: Verification, money: Money): z.input<typeof verificationReply> {
  const { verdict, books, audit, calendar, calendarRepaired, ledger, incidents, acknowledged, repaired, writtenOff } =
    verification
  return {
    verdict,
    books: booksOf(books, money),
    ...(audit && { deep: deepOf(audit) }),
    ...(ledger && { ledger: ledger.map(lossOf) }),
    ...(calendar && { calendar: calendarOf(calendar) }),
    incidents: [...incidents],
    ...(acknowledged && {
      acknowledged: {
        incidents: [...acknowledged.incidents],
        ledger: acknowledged.ledger.map(lossOf),
        days: [...acknowledged.days],
      },
    }),
    ...(repaired && {
      repaired: {
        users: repaired.users,
        scored: repaired.scored,
        ...{ before: sumOf(repaired.before), after: sumOf(repaired.after), found: deepOf(repaired.found) },
      },
    }),
    ...(calendarRepaired !== undefined && { calendar_repaired: calendarRepaired }),
    ...(writtenOff && { written_off: { booked: writtenOff.booked, orders: { ...writtenOff.orders } } }),
  }
}

function calendarOf({ verdict, scores, totals, differences, notes }: CalendarCheck) {
  const { start, inDays, missing } = totals
  return {
    ...{ verdict, wrong_scores: scores, since: start?.since.toISOString() ?? null },
    before: sumOf(start?.before ?? noSum),
    days: sumOf(inDays),
    missing: missing ? sumOf(missing) : null,
    differences: [...differences],
    notes: [...notes],
  }
}

function deepOf({ sums, wrongUsers, undecidedUsers, examples, differences, ...rest }: DeepCheck): z.input<typeof deep> {
  const shown = sums && {
    users: sumOf(sums.users),
    global: sumOf(sums.global),
    leaderboards: sumOf(sums.leaderboards),
  }
  return {
    ...rest,
    sums: shown ?? null,
    wrong_users: wrongUsers,
    examples: examples.map(({ total_spend_minor: spend, ...user }) => ({
      ...user,
      total_spend_minor: spend === null ? null : Number(spend),
    })),
    undecided_users: undecidedUsers,
    differences: [...differences],
  }
}

const sumOf = ({ orders, minor }: Sum): z.input<typeof sum> => ({
  orders: Number(orders),
  revenue_minor: Number(minor),
})

const lossOf = ({ partition, ...rest }: LedgerLoss): z.input<typeof loss> => ({ ...rest, partition: partition ?? null })
