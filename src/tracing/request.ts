import { sentContext } from './context.ts'
import type { Span } from './tracing.ts'

/** Returns the context that a request brings, in the headers of W3C or in that of a load balancer of AWS. */
export const traceOfRequest = (header: (name: string) => string | undefined): string | undefined =>
  sentContext(header('traceparent'), header('tracestate')) ?? header('x-amzn-trace-id')

/** Only a status of the server's own is an error of its span. */
export function endRequest(span: Span, status: number): void {
  const failed = status >= 500 ? { 'error.type': String(status) } : {}
  span.end({ 'http.response.status_code': status, ...failed })
}
