import type { AdminPart } from '../../api/server.ts'

/** Browsers ask as often as they may: every tab polls every queue. */
const pollingIntervalSeconds = 10
const path = '/admin/queues'

/** Bull Board over both queues: what waits, runs and failed; retry from there. */
export const board: AdminPart = {
  path,
  router: async ({ reprocess, replay }, basePath) => {
    // A quarter of the time that an API takes to start, and most are never asked for it.
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
