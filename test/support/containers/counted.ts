import { expectStats, getFrom } from '../expected.ts'
import type { Oracle } from '../oracle.ts'
import { until } from '../until.ts'

/** Waits until every order is counted and ranked, and compares all numbers of the API with the oracle's. */
export async function expectCounted(url: string, oracle: Oracle): Promise<void> {
  const get = getFrom(url)
  const total = async (): Promise<unknown> => (await get('/stats/global').catch(() => ({}) as never))['total_orders']
  await until('every order to be counted', total, (orders) => orders === oracle.admitted)
  const ranked = async (): Promise<boolean> => {
    const { balanced, stages } = (await get('/integrity')) as { balanced?: boolean; stages?: { waiting: number }[] }
    return balanced === true && stages?.every(({ waiting }) => waiting === 0) === true
  }
  await until('every order to be ranked, and the books to balance', ranked)
  await expectStats(get, oracle)
}
