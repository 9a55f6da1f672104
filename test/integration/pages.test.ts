import { expect, test } from 'vitest'
import { blocksOf, examplesOf, pages } from '../support/pages/blocks.ts'
import { isAsShown } from '../support/pages/compare.ts'
import { whyNotRun } from '../support/pages/not-run.ts'
import { openSession } from '../support/pages/session.ts'
import { simpleCommands } from '../support/pages/shell.ts'
import { requireRealRedis } from '../support/requires.ts'

const withCommands = pages.filter((page) =>
  examplesOf(blocksOf(page)).some(({ line }) => simpleCommands(line).some((command) => !whyNotRun(command))),
)

test.for(withCommands)('%s: its commands print what it shows', async (page, context) => {
  requireRealRedis(context)
  await using session = await openSession()
  const complaints: string[] = []
  for (const { at, line, expected, exitCode } of examplesOf(blocksOf(page))) {
    const commands = simpleCommands(line).filter((command) => !whyNotRun(command))
    for (const command of commands) {
      const shown = command === commands.at(-1) ? expected : undefined
      const { output, code } = await session.run(command, shown)
      if (code !== exitCode) complaints.push(`${at}: ${line}\nended with ${code} and printed\n${output}`)
      else if (shown && !isAsShown(shown, output)) complaints.push(`${at}: ${line}\nprints\n${output}`)
    }
  }
  expect(complaints.join('\n')).toBe('')
})
