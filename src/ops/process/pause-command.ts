import { pauseOf, pauseReply } from '../../api/replies/pause.ts'
import { pauseText, type resumeComponent, unknownComponent } from '../../control/pauses.ts'
import { OrdersError } from '../../errors.ts'
import { pipeline } from '../../stages/pipeline.ts'
import { type Command, defineCommand, flag, reasonOption } from '../command.ts'
import { openCommandApp } from '../open/command-app.ts'
import { jsonLine } from '../terminal/printable.ts'
import { operatingUser } from './operating-user.ts'

/** The components that the help and a command line may name, before an app is open. */
const { components } = pipeline

/** Defines a command that pauses or resumes components. */
export function definePauseCommand(name: string, about: string, change: typeof resumeComponent): Command {
  return defineCommand({
    name,
    words: '<component…>',
    about: `${about} Components: ${components.join(', ')}.`,
    examples: [`${name} validate --reason maintenance`, `${name} bridge aggregate`],
    page: 'docs/how-to/pause-and-drain.md',
    options: { reason: reasonOption, json: flag('as JSON, one object a line') },
    run: async ({ config, options: { reason, json }, words, print }) => {
      if (words.length === 0)
        throw new OrdersError('ORD_USAGE', `orders ${name}: no component: expected ${components.join(', ')}.`)
      for (const component of words)
        if (!components.includes(component)) throw new OrdersError('ORD_USAGE', unknownComponent(component, components))
      await using app = await openCommandApp(config)
      for (const component of new Set(words)) {
        const result = await change(app, component, { by: operatingUser(), reason })
        print(json ? jsonLine(pauseReply.parse(pauseOf(result))) : pauseText(result))
      }
    },
  })
}
