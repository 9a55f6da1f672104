import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { renewEveryMs, renewPresence } from '../../control/presence.ts'

/** Shows others that the roles of this process run. */
export interface Announcement extends AsyncDisposable {
  readonly loop: Loop
}

/**
 * Announces the roles of this process until it is disposed. A commit of a stage is progress of its role; so are the start
 * and the end of a pause, since both give it time to begin. Redis may refuse it: then the roles run all the same.
 */
export async function announceRoles(app: App, roles: readonly string[]): Promise<Announcement> {
  const progressAt = new Map(roles.map((role) => [role, performance.now()]))
  const progress = (role: string): void => {
    if (progressAt.has(role)) progressAt.set(role, performance.now())
  }
  app.telemetry.on('committed', ({ stage }) => progress(stage))
  app.telemetry.on('resumed', ({ component }) => progress(component))
  const renew = async (): Promise<void> => {
    const now = performance.now()
    const idle = new Map([...progressAt].map(([role, at]) => [role, now - at]))
    await renewPresence(app, idle).catch(() => {})
  }
  await renew()
  return {
    loop: {
      name: 'presence',
      run: async (tick, signal) => {
        for await (const _ of every(renewEveryMs, undefined, { signal })) {
          await renew()
          tick()
        }
      },
    },
    [Symbol.asyncDispose]: () => renewPresence(app, new Map()).catch(() => {}), // it expires
  }
}
