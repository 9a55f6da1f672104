import { OrdersError } from '../../errors.ts'

/** The properties of an error that both clients have. */
export interface Failure {
  readonly name: string
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

/** Reports whether an error may pass by itself: nothing answered, or what did is not ready. A refusal does not pass. */
export function mayPass(error: unknown): boolean {
  if (error instanceof OrdersError && error.cause !== undefined) return mayPass(error.cause)
  const { name, code, $metadata } = error as Failure
  const status = $metadata?.httpStatusCode
  if (status !== undefined) return status >= 500 || status === 429
  return name === 'AbortError' || name === 'TimeoutError' || passingCodes.has(code ?? '')
}

const passingCodes: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN'],
  ...['ENOTFOUND', 'EAI_AGAIN'],
])
