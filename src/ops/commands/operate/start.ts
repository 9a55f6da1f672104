import { OrdersError } from '../../../errors.ts'
import { defineCommand } from '../../command.ts'
import { howToKeepData } from '../../local/redis-program.ts'
import { banner, runWholeSystem, type Started } from '../../process/whole-system.ts'

export const command = defineCommand({
  name: 'start',
  about: 'Runs everything in this process, with local emulators for SQS and Redis if none is configured.',
  isService: true,
  examples: ['start'],
  page: 'docs/getting-started.md',
  options: {},
  run: async (call) => {
    const { config, print, signal, stdout } = call
    let isForgetful = false
    const show = async (started: Started): Promise<void> => {
      isForgetful = started.isForgetful
      try {
        print(banner(started).split('\n'))
      } catch (error) {
        // Only a notice: if it cannot be written, the system runs on.
        if (!(error instanceof OrdersError && error.code === 'ORD_OUTPUT')) throw error
      }
    }
    await runWholeSystem(config, config.dataDir, show, call)
    const stopped = `Stopped; the emulator of Redis keeps no data, so it is gone. ${howToKeepData()}`
    if (isForgetful && signal.aborted) print(stdout.isTTY ? ['', stopped] : [stopped])
  },
})
