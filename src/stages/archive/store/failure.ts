import { messageOf, OrdersError } from '../../../errors.ts'

/** Runs a call of a store. @throws OrdersError ORD_ARCHIVE with what was done and why it failed */
export async function asked<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw failed(what, error)
  }
}

export const failed = (what: string, cause: unknown): OrdersError =>
  new OrdersError('ORD_ARCHIVE', `${what}: ${messageOf(cause)}`, { cause })
