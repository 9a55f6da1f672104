import { until } from './until.ts'
import { adminToken } from './world.ts'

export interface JobView {
  readonly id: string
  readonly state: string
  readonly progress: { readonly done: number; readonly total: number } | null
  readonly verdict: Record<string, unknown> | null
  readonly result: Record<string, unknown> | null
  readonly failure: string | null
  readonly warning: string | null
}

/** A write as a script makes it that knows the token. */
export async function send(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(url, { method, headers: { ...writing, ...headers }, body: text })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** The headers of every write. */
export const writing = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }

/** An order as POST /orders/reprocess takes it, with all its fields. */
export const corrected = {
  order_id: 'o',
  user_id: 'u',
  order_timestamp: '2026-11-23T10:00:00Z',
  order_value: 10,
  items: [{ product_id: 'P1', quantity: 2, price_per_unit: 5 }],
  shipping_address: '12 Main St',
  payment_method: 'PayPal',
}

/** The job once it has ended one way or the other. */
export async function ended(api: string, id: unknown): Promise<JobView> {
  return until(
    `job ${id}`,
    async () => (await (await fetch(`${api}/jobs/${id}`)).json()) as JobView,
    ({ state }) => state === 'completed' || state === 'failed',
  )
}
