import { expect, test } from 'vitest'
import { acknowledgeIncidents, type Incident, readIncidents } from '../../../../src/control/incidents.ts'
import { openNotes } from '../../../../src/ops/incidents/notes.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const emptied = (at: number): Incident => {
  return { kind: 'data', place: '', ts: new Date(at).toISOString(), orders: 1, text: 'Redis was emptied.' }
}
const nothing = async (): Promise<Incident[]> => []

test('an incident that a process notices only once it was acknowledged is not reported again, the next one is', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const reported: string[] = []
  app.telemetry.listen((event) => void (event === 'incident' && reported.push(event)))
  const [one, other] = [openNotes(app), openNotes(app)]
  for (const notes of [one, other]) await notes.of(nothing)

  await one.of(async () => [emptied(1)])
  await acknowledgeIncidents(world.redis, await readIncidents(world.redis))
  await other.of(async () => [emptied(2)])
  expect(await readIncidents(world.redis)).toEqual([])
  expect(reported).toHaveLength(1)

  for (const notes of [one, other]) await notes.of(async () => [emptied(3)])
  expect(await readIncidents(world.redis)).toMatchObject([emptied(3)])
  expect(reported).toHaveLength(2)
})
