// @ts-check
import { askJob } from './job-dialog.js'
import { element } from './lib/dom.js'
import { exact } from './lib/format.js'

/**
 * Brings the dead letters back through the pipeline, after a dry run.
 * @param {number} count of messages in the dead-letter queue, by the estimate of SQS
 */
export async function askRedrive(count) {
  const some = `${exact(count)} ${count === 1 ? 'message' : 'messages'}`
  const help = element('a', { href: 'runbook#ordersdeadletters', target: '_blank' }, 'What to do first: the runbook')
  await askJob({
    title: 'Redrive dead letters',
    about: [
      `SQS gave up on ${some} after too many receives. A redrive brings them back as the bridge would have: those that are invalid go to the invalid channel. `,
      help,
    ],
    path: 'dlq/redrive',
    body: {},
    name: 'redrive',
    stop: 'Stop the redrive',
    running: 'Bringing them back.',
    go: 'Redrive all',
    goAnyway: 'Redrive all the same',
  })
}
