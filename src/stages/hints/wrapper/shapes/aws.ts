import { has, member } from '../../reading.ts'
import { isDynamoItem } from '../dynamo.ts'
import { firstOf, firstRecord, type Shape, textOf } from './shape.ts'

/** Wrappers of AWS services, and of the libraries that go with them. */
export const awsShapes: readonly Shape[] = [
  {
    what: 'an SNS subscription confirmation',
    is: (value) => /^(?:Subscription|Unsubscribe)Confirmation$/.test(textOf(value, 'Type')),
    advice: 'confirm the subscription and discard this message',
    isEmpty: true,
  },
  {
    what: 'an SNS notification',
    is: (value) => (textOf(value, 'Type') === 'Notification' || has(value, 'TopicArn')) && has(value, 'Message'),
    advice: 'turn on raw message delivery for the subscription, or send the order itself',
  },
  {
    what: 'an S3 test event',
    is: (value) => textOf(value, 'Event') === 's3:TestEvent',
    advice: 'discard it',
    isEmpty: true,
  },
  {
    what: 'an S3 event',
    is: (value) => has(firstRecord(value), 's3') || (textOf(value, 'source') === 'aws.s3' && has(value, 'detail')),
    advice: 'send the content of the S3 object it names',
    isEmpty: true,
  },
  {
    what: 'a pointer to an S3 object of the SQS extended client',
    is: (value) =>
      (Array.isArray(value) && typeof value[0] === 'string' && /S3Pointer$/.test(value[0].slice(0, 200))) ||
      has(value, 's3BucketName', 's3Key') ||
      has(value, 'S3Payload'),
    advice: 'send the order itself, or a producer without the extended client',
    isEmpty: true,
  },
  {
    what: 'an EventBridge Scheduler event',
    is: (value) => textOf(value, 'source') === 'aws.scheduler' || textOf(value, 'detail-type') === 'Scheduled Event',
    advice: 'give the schedule the order as its input',
  },
  {
    what: 'an EventBridge event',
    is: (value) => has(value, 'detail-type', 'source'),
    advice: 'set the InputPath of its target to $.detail, or send the order itself',
  },
  { what: 'an SQS event of AWS Lambda', is: (value) => textOf(firstRecord(value), 'eventSource') === 'aws:sqs' },
  { what: 'an SNS event of AWS Lambda', is: (value) => has(firstRecord(value), 'Sns') },
  { what: 'a Kinesis event of AWS Lambda', is: (value) => has(firstRecord(value), 'kinesis') },
  {
    what: 'a DynamoDB stream record',
    is: (value) => has(firstRecord(value), 'dynamodb') || has(value, 'dynamodb') || has(value, 'NewImage'),
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
    isEmpty: true,
  },
  {
    what: 'an SQS request or reply with the message in it',
    is: (value) =>
      has(value, 'MessageBody') ||
      has(firstOf(value, 'Messages'), 'Body') ||
      has(firstOf(value, 'Entries'), 'MessageBody') ||
      has(value, 'ReceiptHandle'),
  },
  { what: 'a Kinesis Data Firehose request', is: (value) => has(value, 'records') && has(firstRecord(value), 'data') },
  { what: 'a CloudWatch Logs event', is: (value) => has(value, 'awslogs'), isEmpty: true },
  { what: 'a CloudWatch alarm', is: (value) => has(value, 'AlarmName'), isEmpty: true },
  { what: 'a Step Functions task', is: (value) => has(value, 'TaskToken') || has(value, 'taskToken') },
]
