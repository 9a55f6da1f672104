import { hash } from 'node:crypto'
import type { ServiceInputTypes, ServiceOutputTypes, SQSClient } from '@aws-sdk/client-sqs'
import { constructStack } from '@smithy/core/client'
import { HttpRequest, type HttpResponse } from '@smithy/core/protocols'
import { getSchemaSerdePlugin, operation } from '@smithy/core/schema'
import {
  type ClientProtocol,
  type HandlerExecutionContext,
  type MetadataBearer,
  type SelectedHttpAuthScheme,
  SMITHY_CONTEXT_KEY,
  type StaticOperationSchema,
} from '@smithy/types'
import type { SqsCommand } from '../types.ts'

/** Parts that all calls of one command to one queue have in common. */
export interface Shape {
  readonly scheme: SelectedHttpAuthScheme
  context(abortSignal: AbortSignal | undefined): HandlerExecutionContext
  /** The request, to be signed. */
  request(input: ServiceInputTypes): Promise<HttpRequest>
  /** @throws the SDK's exceptions, also for an answer that is not JSON */
  read(response: HttpResponse): Promise<MetadataBearer>
}

/** Lets the SDK prepare the command, and takes over where it would sign and send it. */
export async function shapeOf<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
  client: SQSClient,
  command: SqsCommand<Input, Output>,
): Promise<Shape> {
  const { config } = client
  const { template, context } = await prepare(client, command)
  const { selectedHttpAuthScheme: scheme, ...smithy } = context[SMITHY_CONTEXT_KEY] ?? {}
  if (!scheme) throw new Error('the SDK chose no way to sign')
  const [, namespace, name, traits, input, output] = command.schema as StaticOperationSchema
  const schema = operation(namespace, name, traits, input, output)
  const protocol = config.protocol as ClientProtocol<HttpRequest, HttpResponse>
  const serde = { ...config, endpoint: async () => template }
  const readAsSdk = sdkReader(client, context)
  return {
    scheme,
    context: (abortSignal) => ({
      ...context,
      [SMITHY_CONTEXT_KEY]: { ...smithy, ...(abortSignal && { abortSignal }) },
    }),
    request: async (input) => {
      const request = await protocol.serializeRequest(schema, input, serde)
      request.headers['content-length'] = String(request.body.byteLength)
      request.headers['x-amz-content-sha256'] = hash('sha256', request.body) // as the signer would, in one go
      return request
    },
    read: async (response) => {
      if (response.statusCode >= 300 || !(response.body instanceof Uint8Array)) return readAsSdk(response)
      try {
        return await protocol.deserializeResponse(schema, serde, response)
      } catch {
        return readAsSdk(response) // it says what is wrong with it
      }
    },
  }
}

interface Prepared {
  /** Where it goes and its headers, those apart that depend on the body, the time and the try. */
  readonly template: HttpRequest
  readonly context: HandlerExecutionContext
}

async function prepare<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
  client: SQSClient,
  command: SqsCommand<Input, Output>,
): Promise<Prepared> {
  let prepared: Prepared | undefined
  const stack = client.middlewareStack.clone()
  for (const name of ['retryMiddleware', 'httpSigningMiddleware']) stack.remove(name)
  const takeOver = {
    step: 'finalizeRequest',
    priority: 'low',
  } as const
  stack.add(
    (_, context) =>
      async ({ request }) => {
        if (HttpRequest.isInstance(request)) prepared = { template: request, context }
        return { response: undefined, output: { $metadata: {} } }
      },
    takeOver,
  )
  await command.resolveMiddleware(stack, client.config, {})(command)
  if (!prepared) throw new Error('the SDK prepared no request')
  return prepared
}

/** The SDK's own reading of an answer, with all it says in its errors. */
function sdkReader({ config }: SQSClient, context: HandlerExecutionContext): Shape['read'] {
  const stack = constructStack<object, MetadataBearer>()
  getSchemaSerdePlugin<object, MetadataBearer>(config).applyToStack(stack)
  stack.remove('serializerMiddleware')
  return async (response) => {
    const handler = stack.resolve(async () => ({ response, output: { $metadata: {} } }), context)
    const { output } = await handler({ input: {} })
    return output
  }
}
