import { createRedisMock } from 'js-redis-server'
import { onLoopback } from '../../src/ops/local/emulators.ts'

export async function localEmulator(): Promise<{ url: string; stop(): Promise<void> }> {
  using _ = onLoopback()
  const mock = await createRedisMock()
  return { url: mock.url, stop: () => mock.close() }
}
