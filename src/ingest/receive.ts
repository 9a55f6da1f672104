import {
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  type ReceiveMessageCommandOutput,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { Config } from '../config.ts'
import type { Queue } from './sqs/queue.ts'

/**
 * What one poller receives, ahead of sqs-consumer: that asks again a timer's tick after it is done, and a receive takes no
 * longer. When it asks, it gets all that has come in meanwhile, as if it were one receive.
 */
export interface Receiver {
  /** For sqs-consumer, in the place of a client; as it is configured it does nothing but receive. */
  readonly sqs: SQSClient
  /** Ends a receive that waits for messages. */
  cut(): void
  /** What was received and not asked for, a list per receive. Call it when `ready` throws and nobody asks any more. */
  rest(): Promise<Message[][]>
}

interface Steps {
  /** Resolves when a receive may be made. */
  ready(): Promise<void>
  /** Called with messages as soon as they are here. */
  received(messages: Message[]): void
  /** Called after each receive, empty ones included. */
  answered(messages: number, tookMs: number): void
}

/** On top of the long poll itself: an answer that takes longer will not come, the connection is dead. */
const lateMs = 5_000

/** Receives that nobody has asked for yet: as many as come in during a tick and a write to Redis. */
const mostAhead = 3
/** A receive may bring ten bodies of 1 MB: of such there are none ahead but the one under way. */
const mostCharacters = 1_000_000

interface Ahead {
  readonly output: Promise<ReceiveMessageCommandOutput>
  /** Once it has brought some. */
  messages?: Message[]
}

export function openReceiver(
  { sqs }: Queue,
  { sqsWaitTimeSeconds }: Config,
  { ready, received, answered }: Steps,
): Receiver {
  const stop = new AbortController()
  const ahead: Ahead[] = []
  let [running, flowing] = [false, false]

  async function receive(input: ReceiveMessageCommandInput): Promise<ReceiveMessageCommandOutput> {
    await ready()
    const late = AbortSignal.timeout(sqsWaitTimeSeconds * 1_000 + lateMs)
    const abortSignal = AbortSignal.any([stop.signal, late])
    const from = performance.now()
    const output = await sqs.send(new ReceiveMessageCommand(input), { abortSignal })
    answered(output.Messages?.length ?? 0, performance.now() - from)
    if (output.Messages?.length) received(output.Messages)
    return output
  }

  /** One after the other while they bring messages: after an empty one, or one that failed, there is no haste. */
  async function run(input: ReceiveMessageCommandInput): Promise<void> {
    running = true
    do {
      const asked: Ahead = { output: receive(input) }
      ahead.push(asked)
      const { Messages = [] } = await asked.output.catch(() => nothing)
      flowing = Messages.length > 0
      if (flowing) asked.messages = Messages
    } while (flowing && ahead.length < mostAhead && charactersIn(ahead) < mostCharacters)
    running = false
  }

  async function next(input: ReceiveMessageCommandInput): Promise<ReceiveMessageCommandOutput> {
    if (!running && (flowing || ahead.length === 0)) void run(input)
    const first = await (ahead.shift() as Ahead).output
    const Messages = [...(first.Messages ?? [])]
    while (ahead[0]?.messages) Messages.push(...(ahead.shift()?.messages ?? []))
    if (!running && flowing) void run(input)
    return { ...first, Messages }
  }

  return {
    sqs: { send: ({ input }: ReceiveMessageCommand) => next(input) } as unknown as SQSClient,
    cut: () => stop.abort(),
    rest: async () => {
      const outputs = await Promise.allSettled(ahead.splice(0).map(({ output }) => output))
      return outputs.flatMap((output) => (output.status === 'fulfilled' ? [output.value.Messages ?? []] : []))
    },
  }
}

function charactersIn(ahead: readonly Ahead[]): number {
  const bodies = ahead.flatMap(({ messages = [] }) => messages)
  return bodies.reduce((sum, { Body = '' }) => sum + Body.length, 0)
}

const nothing: Pick<ReceiveMessageCommandOutput, 'Messages'> = {}
