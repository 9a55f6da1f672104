import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import type { AdminPart } from '../api/server.ts'

/** Browsers ask as often as they may: every tab polls every queue. */
const pollingIntervalSeconds = 10
const path = '/admin/queues'

/** Bull Board over both queues: what waits, runs and failed; retry from there. */
export const board: AdminPart = {
  path,
  router: ({ reprocess, replay }, basePath) => {
    const adapter = new ExpressAdapter().setBasePath(basePath + path)
    createBullBoard({
      queues: [new BullMQAdapter(reprocess), new BullMQAdapter(replay)],
      serverAdapter: adapter,
      options: { uiConfig: { boardTitle: 'Orders', pollingInterval: { forceInterval: pollingIntervalSeconds } } },
    })
    return adapter.getRouter()
  },
}
