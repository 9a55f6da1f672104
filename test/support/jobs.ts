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

/** The job once it has ended one way or the other. */
export async function ended(api: string, id: unknown): Promise<JobView> {
  return until(
    `job ${id}`,
    async () => (await (await fetch(`${api}/jobs/${id}`)).json()) as JobView,
    ({ state }) => state === 'completed' || state === 'failed',
  )
}
