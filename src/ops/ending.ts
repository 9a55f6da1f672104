import { constants } from 'node:os'
import { type ErrorCode, errorCodes, messageOf, OrdersError } from '../errors.ts'
import type { Events } from '../events/fields.ts'
import { redactUrls } from '../redact.ts'
import { doesNotAnswer, isErrorReply, isForbidden, refusalOfWrites } from '../redis/errors.ts'

/** How a command that threw ends. */
export interface Ending {
  readonly exitCode: number
  /** Printed to standard error. */
  readonly lines: readonly string[]
}

/** The reason of the abort when standard output was closed, as by `| head`. Any other reason is the name of a signal. */
export const outputClosed = 'output'

/** Returns how a command ends that threw. One that throws because the signal has aborted was interrupted. */
export function endingOf(error: unknown, signal: AbortSignal): Ending {
  if (!signal.aborted || !isOfAbort(error)) return { exitCode: exitCodeOf(error), lines: errorLines(error) }
  const isUnfinished = error instanceof OrdersError && error.code === 'ORD_INTERRUPTED'
  const lines = isUnfinished ? errorLines(error) : []
  return { exitCode: signal.reason === outputClosed ? Number(isUnfinished) : codeOfSignal(signal.reason), lines }
}

/** A stop closes connections: what fails by that has these codes. */
const codesOfAbort: readonly ErrorCode[] = ['ORD_INTERRUPTED', 'ORD_REDIS_UNREACHABLE', 'ORD_SQS']

/** Returns whether an abort may be the cause of an error. Any other error holds, whether it came before the abort or after. */
export const isOfAbort = (error: unknown): boolean =>
  !(error instanceof OrdersError) || codesOfAbort.includes(error.code)

/** Returns the exit code that a shell gives a program that this signal ended. */
export function codeOfSignal(name: NodeJS.Signals): number {
  return 128 + constants.signals[name]
}

function exitCodeOf(error: unknown): number {
  const code = codeOf(error)
  return (code && errorCodes[code].exitCode) ?? 1
}

function codeOf(error: unknown): ErrorCode | undefined {
  if (error instanceof OrdersError) return error.code
  return doesNotAnswer(error) ? 'ORD_REDIS_UNREACHABLE' : undefined
}

/**
 * Returns the events with which a process that logs reports its end: one for each line of a message that has several, such as
 * one about several variables, but one for a bug with its stack.
 */
export function endingEvents(error: unknown, exitCode: number): Events['ended'][] {
  const lines = errorLines(error)
  const texts = error instanceof OrdersError ? lines : [lines.join('\n')]
  const details = error instanceof OrdersError ? error.details : {}
  return texts.map((text) => ({ code: codeOf(error), error: text, ...details, exitCode }))
}

/** Returns what is printed for an error of a command. */
export function errorLines(error: unknown): string[] {
  return (error instanceof OrdersError ? error.message : unexpected(error)).split('\n')
}

/** Returns a message for an error that no command expects. A bug is shown with its stack. */
function unexpected(error: unknown): string {
  const refused = refusalOfWrites(error)
  if (refused) return refused
  if (isForbidden(error)) return `${messageOf(error)}.`
  if (doesNotAnswer(error)) return 'Redis, or a part of its cluster, does not answer: make sure that all of it runs.'
  if (isErrorReply(error)) {
    return `Redis refuses a command (${messageOf(error)}): check it with orders doctor, and make sure that no other program writes our keys.`
  }
  return `This is a bug in orders: ${error instanceof Error ? redactUrls(error.stack ?? '') : messageOf(error)}`
}
