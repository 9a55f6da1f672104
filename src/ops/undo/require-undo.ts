import type { App } from '../../app.ts'
import { readUndo, type Undo } from '../../control/undo/undos.ts'
import { OrdersError } from '../../errors.ts'

/** Reads an undo. @throws OrdersError ORD_UNDO if there is none of this name */
export async function requireUndo(app: Pick<App, 'redis' | 'control'>, name: string): Promise<Undo> {
  const found = await readUndo(app, name)
  if (!found) throw new OrdersError('ORD_UNDO', `There is no undo ${JSON.stringify(name)}: see orders undo list.`)
  return found
}
