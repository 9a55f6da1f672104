/** The line of src/stages/pipeline.ts as we ship it. Another one is that of a clone with stages of its own. */
export const shippedText =
  'export const pipeline = definePipeline([validate, calendar, archive, aggregate, leaderboard])'
