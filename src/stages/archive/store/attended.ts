import type { Tick } from '../../../app.ts'
import type { ObjectStore } from './object-store.ts'

/** Returns a store whose calls are progress of a loop. After the signal it takes none. */
export function attended(store: ObjectStore, tick: Tick, signal: AbortSignal): ObjectStore {
  const attend = async <T>(call: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted()
    const result = await call()
    tick()
    return result
  }
  return {
    place: store.place,
    put: (name, body, own) => attend(() => store.put(name, body, own)),
    get: (name, own) => attend(() => store.get(name, own)),
    delete: (name) => attend(() => store.delete(name)),
    async *list(prefix) {
      signal.throwIfAborted()
      for await (const found of store.list(prefix)) {
        tick()
        signal.throwIfAborted()
        yield found
      }
      tick()
    },
    close: () => store.close(),
  }
}
