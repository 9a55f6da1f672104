import type { CarriedName } from '../../src/carried.ts'
import { aggregate as aggregateDefinition } from '../../src/stages/aggregate.ts'
import { archive as archiveDefinition } from '../../src/stages/archive/archive.ts'
import { calendar as calendarDefinition } from '../../src/stages/calendar.ts'
import { definePipeline } from '../../src/stages/define-pipeline.ts'
import { leaderboard as leaderboardDefinition } from '../../src/stages/leaderboard.ts'
import type { Stage } from '../../src/stages/placed.ts'
import type { AnyStage, StageDefinition } from '../../src/stages/stage.ts'
import { validate as validateDefinition } from '../../src/stages/validate.ts'

/** The definitions that we ship, to build pipelines of. */
export const definitions = {
  validate: validateDefinition,
  calendar: calendarDefinition,
  aggregate: aggregateDefinition,
  leaderboard: leaderboardDefinition,
}

/** The pipeline that we ship, whatever stages a user has added to the one that is run. */
export const whole = definePipeline([
  validateDefinition,
  calendarDefinition,
  archiveDefinition,
  aggregateDefinition,
  leaderboardDefinition,
])
/** The same without the archive, as it is without ARCHIVE_URL. */
export const withCalendar = whole.without(archiveDefinition.name)
/** The chain with the archive, without the calendar. */
export const withArchive = whole.without(calendarDefinition.name)
export const archive = withArchive.stage('archive') as Stage
export const calendar = withCalendar.stage('calendar') as Stage
/** The same without the calendar, as CALENDAR=off has it: most tests are about the chain alone. */
export const shipped = withCalendar.without(calendarDefinition.name)
export const [validate, aggregate, leaderboard] = shipped.stages as readonly [Stage, Stage, Stage]

/** The stage of a test's own that takes the place of the shipped one of its name. */
export function place<In extends object, Out extends object = never, Needs extends CarriedName = never>(
  definition: StageDefinition<In, Out, Needs>,
): Stage {
  const own = (one: AnyStage): AnyStage => (one.name === definition.name ? (definition as unknown as AnyStage) : one)
  const list = [validateDefinition, aggregateDefinition, leaderboardDefinition].map((one) => own(one as AnyStage))
  const last = definition.passes ? list.length : list.findIndex(({ name }) => name === definition.name) + 1
  return definePipeline(list.slice(0, last)).stage(definition.name) as Stage
}
