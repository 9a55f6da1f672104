import { isObject } from '../../order/json.ts'
import { memberText } from '../../order/raw-json.ts'
import { hasTexts, objectWithoutOrder, own } from './json.ts'
import { type Kind, layerOf } from './kind.ts'

/** An event of EventBridge. The order is the object in `detail`. Source: AWS, "Amazon EventBridge events". */
export const eventbridge: Kind = {
  kind: 'eventbridge',
  mayOpen: (text) => text.includes('"detail-type"'),
  open: (text, format) => {
    const value = objectWithoutOrder(text, format)
    if (!value || !hasTexts(value, 'id', 'source', 'detail-type', 'account', 'region', 'time')) return undefined
    const body = isObject(own(value, 'detail')) ? memberText(text, 'detail') : undefined
    if (body === undefined) return undefined
    const { source, id, 'detail-type': subject } = value
    return { body, layer: layerOf('eventbridge', { source, id, subject }) }
  },
}
