/* Runs the SQS emulator in its own process, in memory: `node sqs.ts` prints its port. */
import { startFauxqs } from 'fauxqs'
import { onLoopback } from '../src/ops/local/emulators.ts'

using _ = onLoopback()
const server = await startFauxqs({ port: 0, logger: false })
process.stdout.write(`port ${server.port}\n`)
