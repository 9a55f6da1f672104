import { OrdersError } from '../../errors.ts'

/**
 * Waits for work that a signal may interrupt.
 * @param left returns a sentence on what interrupted work leaves behind, and what to type
 * @throws OrdersError ORD_INTERRUPTED with that sentence, if the work failed after the signal had aborted
 */
export async function interruptible<T>(
  work: Promise<T>,
  signal: AbortSignal,
  left: () => string | Promise<string>,
): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!signal.aborted) throw error
    throw new OrdersError('ORD_INTERRUPTED', await left(), { cause: error })
  }
}
