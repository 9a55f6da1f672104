import { isObject } from '../../order/json.ts'
import { sentContext } from '../../tracing/context.ts'
import { hasTexts, objectWithoutOrder, own } from './json.ts'
import { type Kind, layerOf } from './kind.ts'

/**
 * A notification of SNS, as a subscription without raw message delivery sends it. The order is the text in `Message`.
 * Source: AWS, "Amazon SNS message and JSON formats".
 */
export const sns: Kind = {
  kind: 'sns',
  mayOpen: (text) => text.includes('"TopicArn"'),
  open: (text, format) => {
    const value = objectWithoutOrder(text, format)
    if (value?.['Type'] !== 'Notification' || !hasTexts(value, 'MessageId', 'TopicArn', 'Message')) return undefined
    const { TopicArn: source, MessageId: id, Subject: subject } = value
    const layer = layerOf('sns', { source, id, subject })
    return { body: value['Message'] as string, layer, trace: traceIn(value['MessageAttributes']) }
  },
}

/** Without raw message delivery the attributes of a message are in its notification. */
function traceIn(attributes: unknown): string | undefined {
  const textIn = (name: string): string | undefined => {
    const attribute = isObject(attributes) ? own(attributes, name) : undefined
    return isObject(attribute) && typeof attribute['Value'] === 'string' ? attribute['Value'] : undefined
  }
  return sentContext(textIn('traceparent'), textIn('tracestate'))
}
