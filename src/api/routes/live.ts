import { jsonText } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import { snapshot as reply } from '../live/snapshot.ts'

export const liveSnapshot = defineRoute({
  method: 'get',
  path: '/live/snapshot',
  summary:
    'What the dashboard shows, at most a second old. `GET /live` sends it each second as server-sent events: `snapshot`, or `away` with `detail` and `since` while Redis does not answer.',
  reply,
  handle: async ({ snapshot }, { has }) => jsonText(await snapshot(has('orders'))),
})
