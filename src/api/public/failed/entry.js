// @ts-check
import { canceled, read } from '../actions.js'
import { memberText } from '../lib/json.js'

/**
 * An order of the invalid channel. `text` is what was sent, byte for byte; undefined if that was not text.
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} reason
 * @property {string} ts
 * @property {string} [hint]
 * @property {string} [stage] the later stage that rejected it
 * @property {number} attempts
 * @property {string} [first_reason]
 * @property {{ by: string }[]} [edits]
 * @property {{ next?: string, given_up?: true }} [retry]
 * @property {string} [raw_base64]
 * @property {string | undefined} text
 */

/**
 * Reads an order of the invalid channel.
 * @param {string} id
 * @returns {Promise<Entry>}
 * @throws {Error} with a sentence for people
 */
export async function readEntry(id) {
  const json = await read(`orders/invalid/${id}`)
  const { order, raw, ...entry } = JSON.parse(json)
  return { ...entry, text: order === null ? raw : memberText(json, 'order') }
}

/**
 * Returns the id of the next older order that failed for this reason; undefined if there is none.
 * @param {{ code: string, reason: string }} group
 * @param {string} id
 * @returns {Promise<string | undefined>}
 */
export async function olderEntry({ code, reason }, id) {
  const query = new URLSearchParams({ code, reason, before: id, limit: '1' })
  const [older] = JSON.parse(await read(`orders/invalid?${query}`))
  return older?.id
}

/** Polls often at first, and more rarely the longer a job waits. */
const pollMs = 300
const maxSlowerMs = 5_000
const maxFailed = 20

/**
 * A job, as `GET /jobs/{id}` replies.
 * @typedef {object} Job
 * @property {string} state
 * @property {{ done: number, total: number } | null} progress
 * @property {any} result
 * @property {string | null} failure
 * @property {string | null} warning
 */

/**
 * Follows a job to its end and returns its result.
 * @param {string} id
 * @param {(job: Job) => void} onProgress called each time it is read
 * @param {AbortSignal} [signal] ends the following, not the job
 * @throws {Error} with a sentence for people
 */
export async function jobEnd(id, onProgress, signal) {
  for (let asked = 0, failed = 0; ; asked++) {
    /** @type {Job | undefined} */
    const job = await read(`jobs/${id}`).then(JSON.parse, (error) => {
      if (error.cause === canceled || ++failed > maxFailed) throw error // an API that restarts is back by then
    })
    signal?.throwIfAborted()
    if (job) {
      failed = 0
      onProgress(job)
      if (job.state === 'completed') return job.result
      if (job.state === 'failed') throw new Error(`The job failed: ${job.failure} Retry it under Jobs.`)
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs + Math.min(asked * 20, maxSlowerMs)))
  }
}
