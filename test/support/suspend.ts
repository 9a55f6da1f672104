/*
 * Preloaded into a process: at SIGUSR2 its monotonic clock is 70 s later, as after it was stopped for so long (a closed lid,
 * a migrated machine, a paused container).
 */
const now = performance.now.bind(performance)
let stoodMs = 0
performance.now = () => now() + stoodMs
process.on('SIGUSR2', () => {
  stoodMs += 70_000
})
