import { isObject } from '../../../identity.ts'
import { has, type Json, type JsonObject, member, parse } from '../reading.ts'
import { type FoundOrder, findOrder } from './find.ts'

/** What a known wrapper is called, how to tell it, and what to do about it where that is not the usual. */
interface Shape {
  readonly what: string
  readonly is: (value: Json) => boolean
  readonly advice?: string
  /** Whether it never holds an order. */
  readonly empty?: true
}

const text = (value: Json, name: string): string => {
  const found = member(value, name)
  return typeof found === 'string' ? found : ''
}
/** The first element of a list under a name. */
const firstOf = (value: Json, name: string): Json => {
  const list = member(value, name)
  return Array.isArray(list) ? list[0] : undefined
}
const record = (value: Json): Json => firstOf(value, 'Records') ?? firstOf(value, 'records')
const pointer = 'send the order itself, or a producer without the extended client'

/** Wrappers by the service, library or format that writes them. The first that fits is named. */
const shapes: readonly Shape[] = [
  // AWS
  {
    what: 'an SNS subscription confirmation',
    is: (value) => /^(?:Subscription|Unsubscribe)Confirmation$/.test(text(value, 'Type')),
    advice: 'confirm the subscription and discard this message',
    empty: true,
  },
  {
    what: 'an SNS notification',
    is: (value) => (text(value, 'Type') === 'Notification' || has(value, 'TopicArn')) && has(value, 'Message'),
    advice: 'turn on raw message delivery for the subscription, or send the order itself',
  },
  {
    what: 'an S3 test event',
    is: (value) => text(value, 'Event') === 's3:TestEvent',
    advice: 'discard it',
    empty: true,
  },
  {
    what: 'an S3 event',
    is: (value) => has(record(value), 's3') || (text(value, 'source') === 'aws.s3' && has(value, 'detail')),
    advice: 'send the content of the S3 object it names',
    empty: true,
  },
  {
    what: 'a pointer to an S3 object of the SQS extended client',
    is: (value) =>
      (Array.isArray(value) && typeof value[0] === 'string' && /S3Pointer$/.test(value[0].slice(0, 200))) ||
      has(value, 's3BucketName', 's3Key') ||
      has(value, 'S3Payload'),
    advice: pointer,
    empty: true,
  },
  {
    what: 'an EventBridge Scheduler event',
    is: (value) => text(value, 'source') === 'aws.scheduler' || text(value, 'detail-type') === 'Scheduled Event',
    advice: 'give the schedule the order as its input',
  },
  {
    what: 'an EventBridge event',
    is: (value) => has(value, 'detail-type', 'source'),
    advice: 'set the InputPath of its target to $.detail, or send the order itself',
  },
  { what: 'an SQS event of AWS Lambda', is: (value) => text(record(value), 'eventSource') === 'aws:sqs' },
  { what: 'an SNS event of AWS Lambda', is: (value) => has(record(value), 'Sns') },
  { what: 'a Kinesis event of AWS Lambda', is: (value) => has(record(value), 'kinesis') },
  {
    what: 'a DynamoDB stream record',
    is: (value) => has(record(value), 'dynamodb') || has(value, 'dynamodb') || has(value, 'NewImage'),
    advice: 'send the order as plain JSON, without types such as {"S":"…"}',
  },
  {
    what: 'a DynamoDB item with attribute types such as {"S":"…"}',
    is: (value) => isDynamoItem(value) || isDynamoItem(member(value, 'Item')),
    advice: 'send plain values, as unmarshall() gives them',
  },
  {
    what: 'a record of a Lambda destination (requestPayload)',
    is: (value) => has(value, 'requestPayload'),
  },
  {
    what: 'an API Gateway request',
    is: (value) =>
      has(value, 'body') && (has(value, 'requestContext') || has(value, 'httpMethod') || has(value, 'isBase64Encoded')),
  },
  {
    what: 'a response of a Lambda function',
    is: (value) => has(value, 'statusCode', 'body'),
  },
  {
    what: 'an error of a Lambda function',
    is: (value) =>
      has(value, 'errorMessage') && (has(value, 'errorType') || has(value, 'stackTrace') || has(value, 'trace')),
    advice: 'look at the function that sent it',
    empty: true,
  },
  {
    what: 'an SQS request or reply with the message in it',
    is: (value) =>
      has(value, 'MessageBody') ||
      has(firstOf(value, 'Messages'), 'Body') ||
      has(firstOf(value, 'Entries'), 'MessageBody') ||
      has(value, 'ReceiptHandle'),
  },
  { what: 'a Kinesis Data Firehose request', is: (value) => has(value, 'records') && has(record(value), 'data') },
  { what: 'a CloudWatch Logs event', is: (value) => has(value, 'awslogs'), empty: true },
  { what: 'a CloudWatch alarm', is: (value) => has(value, 'AlarmName'), empty: true },
  { what: 'a Step Functions task', is: (value) => has(value, 'TaskToken') || has(value, 'taskToken') },
  // Other clouds and brokers
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
  // Job libraries
  {
    what: 'a Celery message',
    is: (value) =>
      has(member(value, 'headers'), 'task') ||
      has(member(value, 'properties'), 'body_encoding') ||
      has(value, 'task', 'args', 'kwargs'),
    advice: 'send the order itself to this queue, not a Celery task',
  },
  {
    what: 'the body of a Celery message ([args, kwargs, embed])',
    is: (value) =>
      Array.isArray(value) &&
      value.length === 3 &&
      Array.isArray(value[0]) &&
      isObject(value[1]) &&
      has(value[2], 'callbacks'),
    advice: 'send the order itself to this queue, not a Celery task',
  },
  {
    what: 'a Dramatiq message',
    is: (value) => has(value, 'actor_name', 'args'),
    advice: 'send the order itself to this queue, not a task',
  },
  { what: 'a Zappa task', is: (value) => has(value, 'task_path') },
  {
    what: 'a Laravel job',
    is: (value) => (has(value, 'job') && has(value, 'data')) || has(member(value, 'data'), 'commandName'),
    advice: 'send the order itself as JSON, not a queued job',
  },
  {
    what: 'an ActiveJob job',
    is: (value) => has(value, 'job_class'),
    advice: 'send the order itself as JSON, not a job',
  },
  {
    what: 'a Sidekiq or Shoryuken job',
    is: (value) => has(value, 'class', 'args'),
    advice: 'send the order itself as JSON, not a job',
  },
  {
    what: 'a BullMQ job',
    is: (value) => has(value, 'name', 'data', 'opts'),
    advice: 'send the data of the job as the body',
  },
  {
    what: 'a Symfony Messenger message',
    is: (value) =>
      has(value, 'body', 'headers') &&
      (has(member(value, 'headers'), 'type') || /X-Message-Stamp/.test(namesOf(member(value, 'headers')))),
    advice: 'send the order itself as JSON, not an envelope of Messenger',
  },
  {
    what: 'a MassTransit message',
    is: (value) => has(value, 'messageType', 'message'),
    advice: 'use the raw JSON serializer, or send the order itself',
  },
  {
    what: 'an NServiceBus message',
    is: (value) => /NServiceBus\./.test(namesOf(member(value, 'Headers'))),
    advice: 'send the order itself as JSON, not an envelope',
  },
  { what: 'a Rebus message', is: (value) => /(?:^|,)rbs2-/.test(namesOf(member(value, 'headers'))) },
  {
    what: 'a Spring Cloud Stream message',
    is: (value) => has(value, 'payload', 'headers'),
    advice: 'send its payload as the body',
  },
  // Web formats and shops
  { what: 'a JSON-RPC request', is: (value) => has(value, 'jsonrpc') },
  {
    what: 'a GraphQL request',
    is: (value) => /^\s*(?:mutation|query|subscription|\{)/.test(text(value, 'query').slice(0, 100)),
  },
  {
    what: 'a Stripe event',
    is: (value) => text(value, 'object') === 'event',
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
    empty: true,
  },
]

/** The name of a wrapper that a text of JSON holds. */
export function nameOfShape(json: string): string | undefined {
  const value = parse(json)
  return shapes.find(({ is }) => is(value))?.what
}

/** A known wrapper around the order, and where in it the order is. */
export function shapeHint(value: Json): string | undefined {
  const shape = shapes.find(({ is }) => is(value))
  if (!shape) return undefined
  const { what, advice, empty } = shape
  if (empty) return `The body is ${what}, which holds no order: ${advice ?? 'send the order itself as the body'}`
  const found = findOrder(value)
  // A list of lists is shown by its name alone.
  if (!found || /^\[\]/.test(found.path))
    return `The body is ${what}, not a plain order: ${advice ?? 'send the order itself as the body'}`
  return `The body is ${what}, and ${placeText(found)}: ${advice ?? adviceFor(found)}`
}

/** An order in a wrapper that nobody has a name for. */
export function wrapperHint(value: Json): string | undefined {
  const found = findOrder(value)
  if (!found) return undefined
  const place = placeText(found)
  return `${place[0]?.toUpperCase()}${place.slice(1)}: ${adviceFor(found)}`
}

function placeText({ path, as, count }: FoundOrder): string {
  const how = { object: '', text: ' as JSON text', base64: ' as JSON in base64' }[as]
  const shown = path.length > maxPath ? `…${path.slice(-maxPath)}` : path
  if (count !== 1)
    return `${count === undefined ? '' : `${count} `}orders are in the list \`${shown.replace(/\[\]$/, '')}\`${how}`
  if (/^[^.]+\[\]$/.test(path)) return `the order is in the list \`${shown.slice(0, -2)}\`${how}`
  return `the order is within \`${shown}\`${how}`
}

/** A longer way to an order is shown by its end. */
const maxPath = 60

function adviceFor({ as, count }: FoundOrder): string {
  if (count !== 1) return 'send each order as a message of its own'
  const what = { object: 'that object itself', text: 'that text itself', base64: 'what it decodes to' }[as]
  return `send ${what} as the body`
}

const isChange = (value: Json): boolean => has(value, 'op', 'after') || has(value, 'before', 'after')

/** Whether all values, of the first few, are {"S": …}, {"N": …} and such. */
function isDynamoItem(value: Json): boolean {
  if (!isObject(value)) return false
  const members = Object.values(value).slice(0, 20)
  return members.length > 0 && members.every(isAttribute)
}

/** A value with its DynamoDB type. */
export function isAttribute(value: Json): value is JsonObject {
  if (!isObject(value)) return false
  const names = Object.keys(value)
  return names.length === 1 && /^(?:S|N|B|BOOL|NULL|M|L|SS|NS|BS)$/.test(names[0] ?? '')
}

const namesOf = (value: Json): string =>
  isObject(value) ? Object.keys(value).slice(0, 50).join(',').slice(0, 5_000) : ''
