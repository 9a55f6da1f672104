import { CreateQueueCommand, GetQueueUrlCommand, SQSServiceException } from '@aws-sdk/client-sqs'
import type { Config } from '../../config/config.ts'
import { OrdersError } from '../../errors.ts'
import { redactUrl } from '../../redact.ts'
import { endpointOf, endpointVariable } from './endpoint.ts'
import type { Failure } from './errors.ts'
import type { Sqs } from './types.ts'

// An import would also load Node's WebSocket client: 75 ms of CPU at every start.
const { STATUS_CODES } = process.getBuiltinModule('node:http')

/**
 * Says in a sentence what neither client says: that no answer came in time, and which address answers without being SQS.
 * A refusal by SQS itself stays as it is.
 */
export function withPlainErrors(sqs: Sqs, config: Config): Sqs {
  return {
    send: async (command, options) => {
      const from = performance.now()
      try {
        const output = await sqs.send(command, options)
        if (isWithoutQueue(command, output)) throw foreign(config, 'without the URL of a queue')
        return output
      } catch (error) {
        if (isLate(error as Failure, options?.abortSignal)) throw late(config, performance.now() - from, error)
        if (isForeign(error as Failure)) throw foreign(config, described(error as Failure), error)
        throw error
      }
    },
    destroy: () => sqs.destroy(),
  }
}

function isWithoutQueue(command: unknown, output: object): boolean {
  const asks = command instanceof GetQueueUrlCommand || command instanceof CreateQueueCommand
  return asks && !('QueueUrl' in output && output.QueueUrl)
}

/** A connection that was reset is a TimeoutError to the SDK too. */
function isLate({ name, code }: Failure, signal: AbortSignal | undefined): boolean {
  if (name === 'AbortError') return signal?.reason instanceof Error && signal.reason.name === 'TimeoutError'
  return name === 'TimeoutError' && code !== 'ECONNRESET' && code !== 'EPIPE'
}

function late(config: Config, ms: number, cause: unknown): OrdersError {
  const said = `${endpointOf(config)} has not answered for ${Math.round(ms / 1_000)} s`
  const where = endpointVariable(config) ?? 'AWS_REGION, the source of the credentials'
  return new OrdersError('ORD_SQS', `${said}: check ${where} and the network.`, { cause })
}

/** An answer that is no JSON, or an error without the name that each error of SQS has. */
function isForeign(error: Failure): boolean {
  if (error.$metadata?.httpStatusCode === undefined) return false
  return error instanceof SQSServiceException ? error.name === 'Unknown' : /^(Syntax|Type)Error$/.test(error.name)
}

function foreign(config: Config, answer: string, cause?: unknown): OrdersError {
  const path = config.awsEndpointUrl && new URL(config.awsEndpointUrl).pathname !== '/' ? ', which has a path' : ''
  const said = `${endpointOf(config)} answered ${answer}, which is no answer of SQS`
  const variable = endpointVariable(config)
  const where = variable === undefined ? 'the network' : `${variable}${path}`
  return new OrdersError('ORD_SQS', `${said}: check ${where}.`, { cause })
}

function described({ $metadata, $response }: Failure): string {
  const status = $metadata?.httpStatusCode ?? 0
  const { location, 'content-type': type } = $response?.headers ?? {}
  const more = location ? ` (to ${redactUrl(location)})` : type ? ` with ${type.split(';')[0]}` : ''
  return `${`${status} ${STATUS_CODES[status] ?? ''}`.trim()}${more}`
}
