import type { AdminPart } from '../../api/server.ts'
import { queueNames } from '../../control/job-queues.ts'

/** Minimum time between two polls: every browser tab polls every queue. */
const pollingIntervalSeconds = 10
const path = '/admin/queues'

/** Serves Bull Board for all queues: it shows jobs and retries failed ones. */
export const board: AdminPart = {
  path,
  router: async (queues, basePath) => {
    // Loaded on demand: it takes a quarter of the start of an API, and most are never asked for it.
    const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/express'),
    ])
    const adapter = new ExpressAdapter().setBasePath(basePath + path)
    createBullBoard({
      queues: queueNames.map((name) => new BullMQAdapter(queues[name])),
      serverAdapter: adapter,
      options: {
        uiConfig: {
          boardTitle: 'Orders',
          pollingInterval: { forceInterval: pollingIntervalSeconds },
        },
      },
    })
    const app = adapter.getRouter()
    app.engine('ejs', fitted(app.engines['.ejs'], `${basePath}/`))
    return app
  },
}

type Render = (path: string, options: object, done: (error: unknown, html?: string) => void) => void

/**
 * Fits the page of Bull Board to this server: adds a link to the dashboard, which Bull Board would hide in a menu, and cuts
 * the link to a font of another site, which the policy of this server would refuse.
 */
function fitted(render: Render, home: string): Render {
  const link = `<a href="${home}" style="${linkStyle}">← Dashboard</a>`
  return (path, options, done) =>
    render(path, options, (error, html) =>
      done(error, html?.replace(/<link [^>]*fonts\.googleapis\.com[^>]*>/, '').replace('<div id="root">', `${link}$&`)),
    )
}

/** In the corner that Bull Board leaves empty, in the colors of its theme. */
const linkStyle = [
  'position: fixed; right: 1rem; bottom: 1rem; z-index: 10; padding: 0.7rem 1rem; border-radius: 0.5rem',
  'border: 1px solid var(--border, currentColor); background: var(--card, Canvas); color: var(--foreground, CanvasText)',
].join('; ')
