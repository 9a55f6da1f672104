import { OrdersError } from '../../../errors.ts'
import { canAsk, readKey } from './key.ts'
import type { Terminal } from './progress.ts'

interface Asking {
  /** Given by `--yes`. */
  readonly yes: boolean
  readonly stdout: Terminal
  readonly signal: AbortSignal
}

/**
 * Asks before something that cannot be taken back.
 * @throws OrdersError ORD_USAGE unless the answer is yes, or `--yes` was given; also without a terminal to ask on
 */
export async function requireConsent(question: string, { yes, stdout, signal }: Asking): Promise<void> {
  if (yes) return
  if (!canAsk()) throw new OrdersError('ORD_USAGE', `${question} Nothing was changed: run it again with --yes.`)
  stdout.write(`${question} [y/N] `)
  const answer = await readKey(['y', 'n'])
  stdout.write('\n')
  signal.throwIfAborted()
  if (answer !== 'y') throw new OrdersError('ORD_USAGE', 'Nothing was changed.')
}
