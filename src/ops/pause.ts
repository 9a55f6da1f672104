import { z } from 'zod'
import { noPart, parts, toldOf } from '../api/routes/steering.ts'
import { pausePart, resumePart } from '../control/pauses.ts'
import { OrdersError } from '../errors.ts'
import { type Command, defineCommand, flag, type Option } from './command.ts'
import { operatingUser } from './commands/inspect/audit.ts'
import { withRunning } from './local/running-system.ts'
import { openApp } from './open/open-app.ts'
import { jsonLine } from './terminal/printable.ts'

export const reasonOption: Option<string | undefined> = {
  hint: 'TEXT',
  about: 'why, for who sees it and for the audit',
  expected: 'a text of 1 to 1000 characters',
  schema: z.string().min(1).max(1_000).optional(),
}

export const pauseCommand = steerCommand(
  'pause',
  'Pauses parts in every process until they are resumed, whatever is restarted; what is in hand is done first.',
  pausePart,
)

export const resumeCommand = steerCommand('resume', 'Lets paused parts run again.', resumePart)

function steerCommand(name: string, about: string, steer: typeof resumePart): Command {
  return defineCommand({
    name,
    words: '<part…>',
    about: `${about} Parts: ${parts.join(', ')}.`,
    options: { reason: reasonOption, json: flag('as JSON, one object a line') },
    run: async ({ config, options: { reason, json }, words, print }) => {
      if (words.length === 0)
        throw new OrdersError('ORD_USAGE', `orders ${name}: no part: expected ${parts.join(', ')}.`)
      for (const part of words) if (!parts.includes(part)) throw new OrdersError('ORD_USAGE', noPart(part))
      await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
      for (const part of new Set(words)) {
        const came = await steer(app, part, { by: operatingUser(), reason })
        print(json ? jsonLine(came) : toldOf(came))
      }
    },
  })
}
