import type { App } from '../../../app.ts'
import { adopt, preview } from '../../adopt/adopt.ts'
import { adoptionOf, adoptionReply } from '../../adopt/reply.ts'
import { defineCommand, flag } from '../../command.ts'
import { isAdopting } from '../../manifest/adoption.ts'
import { noticedMs } from '../../manifest/check.ts'
import { connectCommandApp } from '../../open/command-app.ts'
import { interruptible } from '../../process/interruptible.ts'
import { foundLines } from '../../terminal/adoption-text.ts'
import { jsonLine } from '../../terminal/printable.ts'

export const command = defineCommand({
  name: 'adopt',
  about:
    'Converts the data of the Python system in this Redis. Without --yes it only shows what it would do. If it is killed, run it again to continue.',
  examples: ['adopt', 'adopt --yes'],
  page: 'docs/python-system.md',
  options: {
    yes: flag('converts the data; without it nothing is changed'),
    force: flag('converts even if other connected clients may write: make sure that they do not'),
    json: flag('as JSON on one line'),
  },
  run: async ({ config, options: { yes, force, json }, signal, print, fail }) => {
    await using app = await connectCommandApp(config)
    const adopting = { force, settleMs: noticedMs, print: json ? () => {} : print }
    const finding = yes ? adopt(app, adopting, signal) : preview(app, signal)
    const found = await interruptible(finding, signal, () => interrupted(app))
    print(json ? jsonLine(adoptionReply.parse(adoptionOf(found))) : foundLines(app, found))
    if (found.survey.problemCount > 0) fail()
  },
})

async function interrupted({ redis }: App): Promise<string> {
  const begun = await isAdopting(redis).catch(() => null)
  if (begun === false) return 'Interrupted. No adoption is under way.'
  const what = begun ? 'The conversion is not finished, and no process of orders starts until it is' : 'Nothing is lost'
  return `Interrupted. ${what}: run orders adopt --yes again to continue.`
}
