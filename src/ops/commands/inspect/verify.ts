import { OrdersError } from '../../../errors.ts'
import { isAway } from '../../../redis/errors.ts'
import { defineCommand, flag } from '../../command.ts'
import { requireAdopted } from '../../manifest/adoption.ts'
import { connectCommandApp } from '../../open/command-app.ts'
import { interruptible } from '../../process/interruptible.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { verificationLines } from '../../terminal/verification-text.ts'
import { acknowledge } from '../../verify/acknowledge.ts'
import { maxExamples } from '../../verify/compare-scores.ts'
import { verificationOf, verificationReply } from '../../verify/reply.ts'
import { writeOffAndVerify } from '../../verify/verification.ts'

export const command = defineCommand({
  name: 'verify',
  about:
    'Verifies the books: every order received is counted, rejected, a duplicate, lost or waiting. Exit code 1 if anything is wrong.',
  examples: ['verify --deep', 'verify --repair'],
  page: 'docs/how-to/verify-and-repair.md',
  options: {
    deep: flag("also compares every user's totals with both leaderboards and the global stats, while the system runs"),
    repair: flag("as --deep, and sets leaderboards and global stats by the users' totals where they are wrong"),
    force: flag("repairs even if the users' totals themselves seem to be wrong"),
    acknowledge: flag(
      'first acknowledges the open incidents, so that verify, doctor and the alert no longer report them',
    ),
    'write-off': flag('shows what it would book as lost: orders that were deleted before a stage had committed them'),
    yes: flag('with --write-off: books them as lost, while the system runs'),
    json: flag(`as JSON on one line, with up to ${maxExamples} users`),
  },
  run: async ({ config, options: { json, acknowledge: accepts, ...options }, signal, print, fail }) => {
    if (options.yes && !options['write-off']) {
      throw new OrdersError('ORD_USAGE', 'orders verify: --yes goes with --write-off: see orders verify --help.')
    }
    await using app = await connectCommandApp(config)
    if (options.repair || options['write-off']) await requireAdopted(app.redis, app.config)
    const acknowledged = accepts ? await acknowledge(app, signal) : undefined
    const verifying = writeOffAndVerify(app, options, signal).catch((error: unknown) => {
      if (!isAway(error)) throw error
      throw new OrdersError('ORD_REDIS_UNREACHABLE', 'Redis does not answer: make sure that it runs.', { cause: error })
    })
    const left = leftBy({ ...options, accepts })
    const verification = await interruptible(verifying, signal, () => `Interrupted. ${left}`)
    const all = { ...verification, ...(acknowledged && { acknowledged }) }
    print(json ? jsonLine(verificationReply.parse(verificationOf(all, app.format.money))) : verificationLines(all, app))
    if (all.verdict !== 'right' || all.incidents.length > 0) fail()
  },
})

/** Says what an interrupted verification leaves behind. */
function leftBy({ repair, yes, accepts }: { repair: boolean; yes: boolean; accepts: boolean }): string {
  if (repair) return 'A repair may be unfinished: run orders verify --repair again.'
  if (yes) return 'Lost orders may be booked already: orders verify says what is still missing.'
  const done = accepts ? 'The incidents are acknowledged' : 'Nothing was changed'
  return `${done}, and the check has not ended: run orders verify again.`
}
