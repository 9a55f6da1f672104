import { expect, test } from 'vitest'
import { userTotals } from '../../../../src/messages.ts'
import { stagesToBuild } from '../../../../src/ops/rebuild/rebuild.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import { defineObserver } from '../../../../src/stages/stage.ts'
import { definitions } from '../../../support/stages.ts'

test('a stage that reads what aggregate passes on is refused, with what to change', () => {
  const visits = defineObserver({ name: 'visits', takes: userTotals, counts: 'seen', decide: () => [] })
  const { validate, calendar, aggregate, leaderboard } = definitions
  const pipeline = definePipeline([validate, calendar, aggregate, visits, leaderboard])
  expect(stagesToBuild(pipeline, ['leaderboard', 'calendar']).map(({ name }) => name)).toEqual([
    'aggregate',
    'calendar',
  ])
  expect(() => stagesToBuild(pipeline, ['visits'])).toThrow(
    'visits reads orders:counted, and the archive keeps the orders that validate admits: have it take those, and put it before aggregate in the list of stages.',
  )
})
