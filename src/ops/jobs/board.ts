import type { AdminPart } from '../../api/server.ts'

/** Minimum time between two polls: every browser tab polls every queue. */
const pollingIntervalSeconds = 10
const path = '/admin/queues'

/** Serves Bull Board for both queues: it shows jobs and retries failed ones. */
export const board: AdminPart = {
  path,
  router: async ({ reprocess, replay }, basePath) => {
    // Loaded on demand: it takes a quarter of the start of an API, and most are never asked for it.
    const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/express'),
    ])
    const adapter = new ExpressAdapter().setBasePath(basePath + path)
    createBullBoard({
      queues: [new BullMQAdapter(reprocess), new BullMQAdapter(replay)],
      serverAdapter: adapter,
      options: { uiConfig: { boardTitle: 'Orders', pollingInterval: { forceInterval: pollingIntervalSeconds } } },
    })
    return adapter.getRouter()
  },
}
