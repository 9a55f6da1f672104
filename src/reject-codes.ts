/**
 * Why an order is rejected: one entry per reason. A key is a code, with a suffix where one code has several sentences. The
 * sentence is the reason as people read it, with … where it names the order itself. Rejections are grouped by these entries;
 * the codes, the API's lists and the labels of metrics follow from them.
 */
export const rejectGroups = {
  'malformed-json': 'Malformed JSON',
  'not-an-object': 'Order must be a JSON object',
  'unknown-event': 'event must be one of …',
  'missing-field:user_id': 'Missing required field: user_id',
  'missing-field:order_id': 'Missing required field: order_id',
  'missing-field:order_value': 'Missing required field: order_value',
  'missing-field:amount': 'Missing required field: amount',
  'bad-identity:user_id': 'user_id must be a non-empty string',
  'bad-identity:order_id': 'order_id must be a non-empty string',
  'bad-identity:event_id': 'event_id must be a non-empty string',
  'other-currency': 'currency must be …',
  'bad-value:number': 'order_value must be a number',
  'bad-value:range': 'order_value must be between 0 and 1000000000',
  'bad-value:amount': 'amount must be a number',
  'bad-value:amount-range': 'amount must be between 0 and 1000000000',
  'bad-items': "Invalid structure in 'items' list",
  'total-mismatch': 'Calculated total (…) does not match order_value (…)',
  conflict: 'Order … of user … was already accepted with order_value …',
  'conflict:event': 'Event … of order … of user … was already accepted with another payload',
  'unknown-order': 'Order … of user … is not known',
  'cancelled-order': 'Order … of user … is cancelled',
  'refund-exceeds': 'The refund of … exceeds the … that are left of order … of user …',
  'unresolved-pointer': 'The S3 object … of … …',
  'other-partition': 'The order is in partition … and its user in partition …',
  'too-many-orders': 'The body holds more than 10000 orders',
  erased: 'The user was erased',
  'internal-error': 'Stage … failed on this order',
  /** For stages of a user's own that have no entry here: the reason may say anything. */
  refused: 'A stage refused the order: …',
} as const
export type RejectGroup = keyof typeof rejectGroups
export const rejectGroupNames = Object.keys(rejectGroups) as readonly RejectGroup[]

type CodeOf<Group extends string> = Group extends `${infer Code}:${string}` ? Code : Group
export type RejectCode = CodeOf<RejectGroup>

export const codeOf = (group: RejectGroup): RejectCode => group.split(':')[0] as RejectCode

/** In the order of the entries. */
export const rejectCodes = [...new Set(rejectGroupNames.map(codeOf))] as readonly RejectCode[]

/** Codes of the bridge's own, which validate does not find. */
export const bridgeCodes = ['unresolved-pointer', 'too-many-orders'] as const satisfies readonly RejectCode[]

/** Why a record was not accepted: a code for machines, a sentence for people. */
export interface Rejection {
  readonly code: RejectCode
  readonly reason: string
}

export function groupOf({ code, reason }: Rejection): RejectGroup {
  const ofCode = rejectGroupNames.filter((group) => codeOf(group) === code)
  const exact =
    ofCode.find((group) => rejectGroups[group] === reason) ??
    ofCode.find((group) => hasForm(reason, rejectGroups[group]))
  // A reason in other words, of another system: by the field that it names.
  const named = ofCode.find((group) => reason.includes(group.split(':')[1] ?? reason))
  return exact ?? named ?? ofCode[0] ?? 'internal-error'
}

/** Returns whether a reason begins as a sentence does in which … stands for the order's own. */
function hasForm(reason: string, sentence: string): boolean {
  const at = sentence.indexOf('…')
  return at > 0 && reason.startsWith(sentence.slice(0, at))
}
