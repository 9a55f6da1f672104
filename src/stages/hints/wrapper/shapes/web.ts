import { has } from '../../reading.ts'
import { type Shape, textOf } from './shape.ts'

/** Formats of the web, of payment providers and of shops. */
export const webShapes: readonly Shape[] = [
  { what: 'a JSON-RPC request', is: (value) => has(value, 'jsonrpc') },
  {
    what: 'a GraphQL request',
    is: (value) => /^\s*(?:mutation|query|subscription|\{)/.test(textOf(value, 'query').slice(0, 100)),
  },
  {
    what: 'a Stripe event',
    is: (value) => textOf(value, 'object') === 'event',
    advice: 'map its data.object to an order first',
  },
  {
    what: 'a Shopify order',
    is: (value) => has(value, 'admin_graphql_api_id') || has(value, 'line_items', 'total_price'),
    advice: 'map its fields to user_id, order_id, order_value and items first',
  },
  {
    what: 'a WooCommerce order',
    is: (value) => has(value, 'order_key', 'line_items'),
    advice: 'map its fields to user_id, order_id, order_value and items first',
  },
  {
    what: 'a PayPal webhook event',
    is: (value) => has(value, 'event_type', 'resource'),
    advice: 'map its resource to an order first',
  },
  {
    what: 'a JSON Schema',
    is: (value) => has(value, '$schema') && has(value, 'properties'),
    advice: 'send an order that fits the schema',
    isEmpty: true,
  },
]
