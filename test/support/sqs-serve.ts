/** The SQS emulator as a process of its own: `node sqs-serve.ts <port> <data dir>`. */
import { DatabaseSync } from 'node:sqlite'
import { onLoopback } from '../../src/ops/local/emulators.ts'

// A sync at every message would make it slower than the system under test. What is written outlives kill -9 without.
const { exec } = DatabaseSync.prototype
DatabaseSync.prototype.exec = function (sql) {
  exec.call(this, sql)
  if (sql.includes('journal_mode')) exec.call(this, 'PRAGMA synchronous = OFF')
}

const [port, dataDir = ''] = process.argv.slice(2)
const { startFauxqs } = await import('fauxqs')
using _ = onLoopback()
await startFauxqs({ port: Number(port), dataDir, logger: false })
process.stdout.write('ready\n')
