/**
 * Measures the CPU of this process per receive and deletion of ten messages, with either SQS_TRANSPORT, against the SQS
 * emulator in its own process: `npx node bench/sqs-client.ts [rounds]`.
 */
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { readConfig } from '../src/config/config.ts'
import { openQueue, type Queue } from '../src/ingest/sqs/queue.ts'
import { spawnSqsServer } from '../test/support/sqs-server.ts'

const pairs = 1_000
const loops = 4
const body = JSON.stringify({
  user_id: 'user_1',
  order_id: '4c5f6f1c-3b0a-4a2f-9d59-5d0f0f5d7c11',
  order_value: 150.75,
  items: [{ product_id: 'P001', quantity: 3, price_per_unit: 50.25 }],
  shipping_address: '1 Long Street, Springfield, a country with a name',
  payment_method: 'Credit Card',
})

await using server = await spawnSqsServer()
const open = (transport: string) => openQueue(readConfig({ AWS_ENDPOINT_URL: server.url, SQS_TRANSPORT: transport }))
using sdk = await open('sdk')
using thin = await open('thin')

for (let round = 1; round <= Number(process.argv[2] ?? 5); round++) {
  const costs = [await cost(sdk), await cost(thin)] as const
  const [ofSdk, ofThin] = costs.map(({ cpu }) => cpu)
  const texts = costs.map(
    ({ cpu, rate }) => `${cpu.toFixed(0).padStart(5)} µs ${rate.toFixed(0).padStart(6)} messages/s`,
  )
  process.stdout.write(`sdk ${texts[0]}   thin ${texts[1]}   ${(Number(ofSdk) / Number(ofThin)).toFixed(2)}×\n`)
}

/** Measures µs of CPU per pair of calls, and messages a second. The first round includes compilation. */
async function cost(queue: Queue): Promise<{ cpu: number; rate: number }> {
  await inParallel(pairs, () => fill(thin))
  const [cpu, began] = [process.cpuUsage(), performance.now()]
  await inParallel(pairs, () => drain(queue))
  const { user, system } = process.cpuUsage(cpu)
  return { cpu: (user + system) / pairs, rate: (pairs * 10_000) / (performance.now() - began) }
}

async function inParallel(times: number, call: () => Promise<void>): Promise<void> {
  let left = times
  const loop = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  await Promise.all(Array.from({ length: loops }, loop))
}

async function fill({ sqs, url }: Queue): Promise<void> {
  const Entries = Array.from({ length: 10 }, (_, at) => ({ Id: String(at), MessageBody: body }))
  await sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }))
}

async function drain({ sqs, url }: Queue): Promise<void> {
  const receive = { QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: 30 }
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(receive))
  const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }))
  await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries }))
}
