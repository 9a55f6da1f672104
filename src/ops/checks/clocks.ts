import type { App } from '../../app.ts'
import { type ClockOffset, redisOffset } from '../../clock-offset.ts'
import { type Finding, ok, warning } from './finding.ts'

/** Above this, times in logs and records of several machines are hard to compare by eye. */
const maxSkewMs = 2_000

/** Compares Redis' clock with ours. */
export async function redisClock({ redis, now }: App): Promise<Finding> {
  const advice = "Sync both by NTP: rejected orders carry our time, and the ledger uses Redis' time."
  return judge('clock', "Redis'", await redisOffset(redis, now), advice)
}

/** Compares the clock of SQS with ours. */
export function sqsClock(offset: ClockOffset): Finding {
  const advice = "Sync Redis and this machine by NTP: how long orders wait is measured by SQS' time and by Redis' time."
  return judge('clock of SQS', "SQS'", offset, advice)
}

function judge(check: string, whose: string, { ms, uncertainMs }: ClockOffset, advice: string): Finding {
  const found = `${whose} is ${(Math.abs(ms) / 1_000).toFixed(1)} s ${ms < 0 ? 'behind' : 'ahead of'} ours`
  return Math.abs(ms) - uncertainMs <= maxSkewMs ? ok(check, found) : warning(check, found, advice)
}
