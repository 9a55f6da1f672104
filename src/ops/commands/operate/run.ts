import { z } from 'zod'
import { OrdersError } from '../../../errors.ts'
import { defineCommand } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { openOnceUp } from '../../open/open-once-up.ts'
import { requireRoles, roleNames, runRoles } from '../../process/roles.ts'

/** Parses a list of partitions. @param list such as `0-3,7` */
function rangesIn(list: string): [from: number, to: number][] {
  return list.split(',').map((part) => {
    const [from = 0, to = from] = part.split('-').map(Number)
    return [from, to]
  })
}

export const command = defineCommand({
  name: 'run',
  words: '<role…>',
  about: `Runs the named roles in this process: ${roleNames.join(', ')}. Start as many processes as you like.`,
  isService: true,
  examples: ['run bridge validate', 'run aggregate --partitions 0-3'],
  page: 'docs/scaling.md',
  options: {
    partitions: {
      hint: 'LIST',
      about: 'the partitions that its stages process, such as 0-3,7 (default: those assigned to this process)',
      expected: 'numbers and ranges separated by commas, such as 0-3,7',
      schema: z
        .string()
        .regex(/^\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*$/)
        .transform(rangesIn)
        .refine((ranges) => ranges.every(([from, to]) => from <= to))
        .transform((ranges) =>
          ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at)),
        )
        .optional(),
    },
  },
  run: async ({ config, words, options: { partitions }, signal, openLog }) => {
    if (words.length === 0) throw new OrdersError('ORD_USAGE', `orders run: no role: expected ${roleNames.join(', ')}.`)
    requireRoles(words)
    await using app = await openOnceUp(withRunning(config), words, signal, openLog)
    const beyond = partitions?.find((partition) => partition >= app.partitions.length)
    if (beyond !== undefined) {
      const problem = `orders run: there is no partition ${beyond}, there are ${app.partitions.length}`
      throw new OrdersError('ORD_USAGE', `${problem}: use 0 to ${app.partitions.length - 1}.`)
    }
    await runRoles(app, [...new Set(words)], signal, partitions)
  },
})
