import type { ServiceInputTypes, ServiceOutputTypes, SQSClientResolvedConfig } from '@aws-sdk/client-sqs'
import type { Command } from '@smithy/types'

/** A command of the SDK with its input and output. */
export type SqsCommand<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = Command<
  ServiceInputTypes,
  Input,
  ServiceOutputTypes,
  Output,
  SQSClientResolvedConfig
>

/** The part of an SQS client that is used. SQSClient and the thin client have it. */
export interface Sqs {
  send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: SqsCommand<Input, Output>,
    options?: { abortSignal?: AbortSignal },
  ): Promise<Output>
  destroy(): void
}
