import { hasTexts, objectWithoutOrder } from './json.ts'
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
    return { body: value['Message'] as string, layer: layerOf('sns', { source, id, subject }) }
  },
}
