// @ts-check
import { drawBoards } from './boards.js'
import { drawFailed } from './failed/failed.js'
import { drawAway, drawHeader } from './header.js'
import { drawUnknown } from './lib/unknown.js'
import { follow } from './live.js'
import { drawPipeline } from './pipeline.js'
import { drawPlots } from './plots.js'
import { drawTotals } from './totals.js'

const sections = [drawHeader, drawPipeline, drawTotals, drawPlots, drawBoards, drawFailed]

follow({
  onSnapshot: (snapshot) => {
    for (const draw of sections) draw(snapshot)
  },
  onAway: (why, since) => {
    drawAway(why)
    drawUnknown(why, since)
  },
})
