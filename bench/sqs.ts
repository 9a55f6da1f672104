/** The SQS emulator as a process of its own, in memory: `node sqs.ts` says its port. */
import { startFauxqs } from 'fauxqs'
import { onLoopback } from '../src/ops/local/redis-server.ts'

using _ = onLoopback()
const server = await startFauxqs({ port: 0, logger: false })
process.stdout.write(`port ${server.port}\n`)
