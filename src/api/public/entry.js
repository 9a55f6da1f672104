import { read } from './actions.js'
import { memberText } from './lib/json.js'

/**
 * An order of the invalid channel. `text` is what was sent, byte for byte; undefined where that was no text.
 * @throws Error with a sentence for people
 */
export async function readEntry(id) {
  const json = await read(`orders/invalid/${id}`)
  const { order, raw, ...entry } = JSON.parse(json)
  return { ...entry, text: order === null ? raw : memberText(json, 'order') }
}

/** Returns the id of the next older order that failed for this reason; undefined where there is none. */
export async function olderEntry({ code, reason }, id) {
  const query = new URLSearchParams({ code, reason, before: id, limit: 1 })
  const [older] = JSON.parse(await read(`orders/invalid?${query}`))
  return older?.id
}

/** Often at first; a job that nobody works off is asked for ever more rarely. */
const pollMs = 300
const slowestMs = 5_000
const mostFailed = 20

/** Follows a job to its end. @param onProgress called with its state each time @throws Error as above */
export async function jobEnd(id, onProgress) {
  for (let asked = 0, failed = 0; ; asked++) {
    const job = await read(`jobs/${id}`).then(JSON.parse, (error) => {
      if (++failed > mostFailed) throw error // an API that is started anew is back by then
    })
    if (job) {
      failed = 0
      onProgress(job)
      if (job.state === 'completed') return job.result
      if (job.state === 'failed') throw new Error(`The job failed: ${job.failure} It can be retried under Jobs.`)
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs + Math.min(asked * 20, slowestMs)))
  }
}
