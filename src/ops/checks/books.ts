import type { App } from '../../app.ts'
import { openBacklog } from '../../reads/backlog.ts'
import { ordersAre } from '../../reads/findings.ts'
import { type Finding, ok, unread, warning } from './finding.ts'

/** Checks for missing orders: deleted before a stage had committed them, and not written off. */
export async function missingOrders(app: App): Promise<Finding> {
  const check = 'missing orders'
  const stages = await openBacklog(app)().then(
    ({ stages }) => stages,
    () => undefined,
  )
  if (!stages) return unread(check, 'run orders verify, which says why the books cannot be read')
  const missing = stages.flatMap(({ stage, unaccounted }) =>
    unaccounted !== null && unaccounted > 0 ? [`${ordersAre(unaccounted)} missing from the stream of ${stage}`] : [],
  )
  if (missing.length > 0) {
    const advice =
      'They were deleted unread: see OrdersLost in docs/runbook.md. orders verify --write-off books them as lost.'
    return warning(check, missing.join(', '), advice)
  }
  const unknown = stages.filter(({ unaccounted }) => unaccounted === null).map(({ stage }) => stage)
  if (unknown.length === 0) return ok(check, 'none')
  return ok(check, `not known yet for ${unknown.join(', ')}: too many orders wait to be measured`)
}
