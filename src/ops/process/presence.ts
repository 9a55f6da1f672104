import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { leavePresence, renewEveryMs, renewPresence } from '../../control/presence.ts'

/** Shows others that the roles of this process run. */
export interface Announcement extends AsyncDisposable {
  readonly loop: Loop
}

/**
 * Announces the roles of this process until it is disposed. A commit of a stage is progress of its role; so are the start
 * and the end of a pause, since both give it time to begin. Redis may refuse it: then the roles run all the same.
 */
export async function announceRoles(app: App, roles: readonly string[]): Promise<Announcement> {
  const progressAt = new Map<string, number>() // since the last renewal
  let isFirst = true
  const progress = (role: string): void => {
    if (roles.includes(role)) progressAt.set(role, performance.now())
  }
  app.telemetry.on('committed', ({ stage }) => progress(stage))
  app.telemetry.on('resumed', ({ component }) => progress(component))
  const renew = async (): Promise<void> => {
    const now = performance.now()
    const made = new Map(progressAt)
    const idle = roles.map((role): [string, number | undefined] => {
      const at = made.get(role)
      return [role, at === undefined ? undefined : now - at]
    })
    try {
      await renewPresence(app, new Map(idle), isFirst)
    } catch {
      return // the next renewal brings it
    }
    isFirst = false
    for (const [role, at] of made) if (progressAt.get(role) === at) progressAt.delete(role)
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
    [Symbol.asyncDispose]: () => leavePresence(app, roles).catch(() => {}), // it expires
  }
}
