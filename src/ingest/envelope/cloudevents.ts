import { isObject } from '../../order/json.ts'
import { memberText } from '../../order/raw-json.ts'
import { sentContext } from '../../tracing/context.ts'
import { base64Text } from './encoded.ts'
import { hasTexts, objectWithoutOrder, own } from './json.ts'
import { type Kind, layerOf } from './kind.ts'

/**
 * An event of CloudEvents 1.0 in structured mode. The order is the object in `data`, the text there, or what
 * `data_base64` encodes. A list in `data` may hold many. Source: CloudEvents, "JSON Event Format", version 1.0.2.
 */
export const cloudevents: Kind = {
  kind: 'cloudevents',
  mayOpen: (text) => text.includes('"specversion"'),
  open: (text, format) => {
    const value = objectWithoutOrder(text, format)
    if (value?.['specversion'] !== '1.0' || !hasTexts(value, 'id', 'source', 'type')) return undefined
    const body = dataOf(value, text)
    if (body === undefined) return undefined
    const { source, id, type: subject } = value
    const traceparent = own(value, 'traceparent') // of the extension "Distributed Tracing"
    const traced = typeof traceparent === 'string' ? { trace: sentContext(traceparent, own(value, 'tracestate')) } : {}
    return { body, layer: layerOf('cloudevents', { source, id, subject }), ...traced }
  },
}

/** An event has `data` or `data_base64`, never both. */
function dataOf(value: Readonly<Record<string, unknown>>, text: string): string | undefined {
  const [data, encoded] = [own(value, 'data'), own(value, 'data_base64')]
  if (data !== undefined && encoded !== undefined) return undefined
  if (typeof encoded === 'string') return base64Text(encoded)
  if (typeof data === 'string') return data
  return isObject(data) || Array.isArray(data) ? memberText(text, 'data') : undefined
}
