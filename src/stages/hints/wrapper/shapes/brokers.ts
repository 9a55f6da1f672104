import { has, type Json, member } from '../../reading.ts'
import { firstOf, type Shape } from './shape.ts'

/** Wrappers of other clouds and of message brokers. */
export const brokerShapes: readonly Shape[] = [
  {
    what: 'a Google Pub/Sub push message',
    is: (value) => has(value, 'subscription') && has(member(value, 'message'), 'data'),
  },
  {
    what: 'a batch of CloudEvents',
    is: (value) => Array.isArray(value) && has(value[0], 'specversion'),
    advice: 'send the data of each event as a message of its own',
  },
  {
    what: 'a Dapr message (a CloudEvent)',
    is: (value) => has(value, 'specversion') && (has(value, 'pubsubname') || has(value, 'topic')),
    advice: 'publish it with rawPayload set to true, or send the order itself',
  },
  { what: 'a CloudEvent', is: (value) => has(value, 'specversion') },
  {
    what: 'a list of Azure Event Grid events',
    is: (value) => Array.isArray(value) && has(value[0], 'eventType', 'data'),
  },
  { what: 'an Azure Event Grid event', is: (value) => has(value, 'eventType', 'dataVersion') },
  {
    what: 'a Debezium change event',
    is: (value) => isChange(value) || isChange(member(value, 'payload')),
    advice: 'send the row as a plain order, as with the ExtractNewRecordState transform',
  },
  {
    what: 'a Kafka Connect record with its schema',
    is: (value) => has(value, 'schema', 'payload'),
    advice: 'set schemas.enable to false for the JsonConverter, or send the payload alone',
  },
  { what: 'a Kafka REST request', is: (value) => has(firstOf(value, 'records'), 'value') },
]

const isChange = (value: Json): boolean => has(value, 'op', 'after') || has(value, 'before', 'after')
