import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type ServiceInputTypes,
  type ServiceOutputTypes,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { HttpRequest } from '@smithy/core/protocols'
import { retryMiddleware } from '@smithy/core/retry'
import type { FinalizeHandler } from '@smithy/types'
import type { Sqs, SqsCommand } from '../types.ts'
import { checkMd5 } from './checksum.ts'
import { type Exchange, type Limits, openExchange } from './http-client.ts'
import { type Shape, shapeOf } from './prepared-command.ts'

/** The calls of this pipeline; any other goes to the SDK's client. */
const calls: ReadonlySet<unknown> = new Set([
  ReceiveMessageCommand,
  DeleteMessageBatchCommand,
  ChangeMessageVisibilityBatchCommand,
  SendMessageBatchCommand,
  GetQueueUrlCommand,
  GetQueueAttributesCommand,
  CreateQueueCommand,
])

/**
 * The SDK's client without the dear part of it. What the SDK knows stays the SDK's: endpoint, credentials and their
 * refresh, JSON, signature, clock skew, retries, errors. Instead of building its middleware for every call and asking
 * node:http, the shape of a request is found out once per kind of call, and undici sends it.
 */
export function openThin(client: SQSClient, limits: Limits): Sqs {
  keepSigner(client)
  const exchange = openExchange(limits)
  const retrying = retryMiddleware(client.config)
  const shapes = new Map<string, Promise<Shape>>()
  const shapeFor = <Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: SqsCommand<Input, Output>,
  ): Promise<Shape> => {
    const key = `${command.constructor.name} ${'QueueUrl' in command.input ? command.input.QueueUrl : ''}`
    const known = shapes.get(key)
    if (known) return known
    const found = shapeOf(client, command)
    shapes.set(key, found)
    found.catch(() => shapes.delete(key))
    return found
  }
  return {
    send: async (command, { abortSignal } = {}) => {
      if (!calls.has(command.constructor)) return client.send(command, { ...(abortSignal && { abortSignal }) })
      const shape = await shapeFor(command)
      await client.config.credentials() // what fails here is not retried, as in the SDK
      const request = await shape.request(command.input)
      const retry = retrying(attempt(shape, exchange, abortSignal), shape.context(abortSignal))
      const { output } = await retry({ input: command.input, request })
      checkMd5(command, output)
      return output as never
    },
    destroy: () => {
      exchange.close()
      client.destroy()
    },
  }
}

/** The SDK makes a signer for every call; all of them are the same. */
function keepSigner({ config }: SQSClient): void {
  const make = config.signer
  let made: ReturnType<typeof make> | undefined
  config.signer = (scheme) => {
    made ??= make(scheme)
    return made
  }
}

/** One try, signed again: its time must be of now. */
function attempt(
  { scheme, read }: Shape,
  exchange: Exchange,
  signal: AbortSignal | undefined,
): FinalizeHandler<ServiceInputTypes, ServiceOutputTypes> {
  const { identity, signer, httpAuthOption } = scheme
  return async ({ request }) => {
    const properties = { ...httpAuthOption.signingProperties }
    const signed = await signer.sign(request as HttpRequest, identity, properties)
    try {
      const response = await exchange(signed as HttpRequest, signal)
      const output = await read(response)
      signer.successHandler?.(response, properties)
      return { response, output }
    } catch (error) {
      signer.errorHandler?.(properties)(error as Error) // learns the server's time, and throws it again
      throw error
    }
  }
}
