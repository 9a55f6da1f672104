import { aggregate } from './aggregate.ts'
import { archive } from './archive/archive.ts'
import { calendar } from './calendar.ts'
import { definePipeline } from './define-pipeline.ts'
import { leaderboard } from './leaderboard.ts'
import { validate } from './validate.ts'

/**
 * The pipeline that runs. To add a stage, write its file and add one word here. A stage of the chain takes what the one before
 * it passes on; an observer reads the same records as the stage that follows it.
 */
export const pipeline = definePipeline([validate, calendar, archive, aggregate, leaderboard])
