import { hash } from 'node:crypto'
import {
  ReceiveMessageCommand,
  type ReceiveMessageResult,
  SendMessageBatchCommand,
  type SendMessageBatchResult,
  type ServiceOutputTypes,
} from '@aws-sdk/client-sqs'

/**
 * Compares the bodies that were received, or that SQS says it took, with their checksums.
 * @throws as the SDK; neither tries again
 */
export function checkMd5(command: unknown, output: ServiceOutputTypes): void {
  const wrong = wrongBodies(command, output)
  if (wrong.length > 0) throw new Error(`Invalid MD5 checksum on messages: ${wrong.join(', ')}`)
}

/** @returns the ids of their messages */
function wrongBodies(command: unknown, output: ServiceOutputTypes): unknown[] {
  if (command instanceof ReceiveMessageCommand) {
    const { Messages = [] } = output as ReceiveMessageResult
    return Messages.filter(({ Body, MD5OfBody }) => MD5OfBody !== md5(Body)).map(({ MessageId }) => MessageId)
  }
  if (command instanceof SendMessageBatchCommand) {
    const bodies = new Map(command.input.Entries?.map(({ Id, MessageBody }) => [Id, MessageBody]))
    const taken = ((output as SendMessageBatchResult).Successful ?? []).filter(({ Id }) => bodies.has(Id))
    return taken
      .filter(({ Id, MD5OfMessageBody }) => MD5OfMessageBody !== md5(bodies.get(Id)))
      .map(({ MessageId }) => MessageId)
  }
  return []
}

const md5 = (body = ''): string => hash('md5', body)
