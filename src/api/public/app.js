// @ts-check
import { drawBoards } from './boards/boards.js'
import { drawFailed } from './failed/failed.js'
import { drawAway, drawHeader } from './header.js'
import { drawUnknown } from './lib/unknown.js'
import { follow } from './live.js'
import { drawPipeline } from './pipeline.js'
import { drawDaily } from './plots/daily.js'
import { drawPlots } from './plots/recent.js'
import { drawTotals } from './totals.js'
import { linkUndos, noteCurrency } from './undos.js'

const sections = [drawHeader, drawPipeline, drawTotals, drawPlots, drawDaily, drawBoards, drawFailed, noteCurrency]

linkUndos()
follow({
  onSnapshot: (snapshot) => {
    for (const draw of sections) draw(snapshot)
  },
  onAway: (why, since) => {
    drawAway(why)
    drawUnknown(why, since)
  },
})
