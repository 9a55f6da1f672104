import { OrdersError } from '../../../errors.ts'
import { defineCommand } from '../../command.ts'
import { banner, runWholeSystem, type Started } from '../../process/whole-system.ts'

export const command = defineCommand({
  name: 'start',
  about: 'Runs everything in this process, with local emulators for SQS and Redis if none is configured.',
  isService: true,
  examples: ['start'],
  page: 'docs/getting-started.md',
  options: {},
  run: (call) => {
    const { config, print } = call
    const show = async (started: Started): Promise<void> => {
      try {
        print(banner(started).split('\n'))
      } catch (error) {
        // Only a notice: if it cannot be written, the system runs on.
        if (!(error instanceof OrdersError && error.code === 'ORD_OUTPUT')) throw error
      }
    }
    return runWholeSystem(config, config.dataDir, show, call)
  },
})
