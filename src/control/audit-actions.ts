import type { OrderCorrection } from './correct-order.ts'

/** The actions of operators, by the one word that the API and the commands record. */
export type AdminAction =
  | ('replay' | 'redrive' | 'reprocess' | 'edit' | 'discard' | 'cancel' | 'pause' | 'resume' | 'drain')
  | `${OrderCorrection}-order`
  | ('erase' | 'rebuild' | 'backfill' | 'archive-leave')
  | ('repartition' | 'adopt' | 'repair' | 'write-off' | 'acknowledge' | 'queues')

/** The names that earlier versions recorded: a route, or a command. */
const earlier: Readonly<Record<string, string>> = {
  'POST /orders/replay': 'replay',
  'POST /orders/reprocess': 'reprocess',
  'PUT /orders/invalid/{id}': 'edit',
  'DELETE /orders/invalid/{id}': 'discard',
  'DELETE /jobs/{id}': 'cancel',
  'orders jobs cancel': 'cancel',
  'orders verify --repair': 'repair',
  'orders verify --write-off': 'write-off',
  'orders verify --acknowledge': 'acknowledge',
}

/** Returns the word for a recorded action, which an earlier version may have recorded. */
export function actionNamed(recorded: string): string {
  const name = earlier[recorded] ?? recorded.replace(/^orders (\w+)$/, '$1')
  return name.replace(/^\w+ \/admin\/queues$/, 'queues')
}

/** Returns what an action was about: parameters next to the body, where earlier versions had them within `params`. */
export function whatNamed(what: unknown): unknown {
  if (typeof what !== 'object' || what === null || !('params' in what)) return what
  const { params, ...rest } = what
  return typeof params === 'object' ? { ...params, ...rest } : what
}
