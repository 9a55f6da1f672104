import { drawBoards } from './boards.js'
import { drawFailed } from './failed.js'
import { drawAway, drawHeader } from './header.js'
import { follow } from './live.js'
import { drawLine } from './pipeline.js'
import { drawPlots } from './plots.js'
import { drawTotals } from './totals.js'

const parts = [drawHeader, drawLine, drawTotals, drawPlots, drawBoards, drawFailed]

follow({
  onSnapshot: (snapshot) => {
    for (const draw of parts) draw(snapshot)
  },
  onAway: drawAway,
})
