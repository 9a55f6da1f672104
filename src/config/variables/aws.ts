import { z } from 'zod'
import { readArn, readQueueUrl } from '../queue-address.ts'
import { define, text, withDefault } from '../variable.ts'

export const awsVariables = {
  awsEndpointUrl: define({
    name: 'AWS_ENDPOINT_URL',
    unit: 'URL',
    expected: 'an http:// or https:// URL',
    unset: 'real AWS for `orders run`; local emulator for `orders start`',
    about: 'Where SQS answers: set it for a local emulator, a VPC endpoint or a proxy. On AWS the region is enough.',
    schema: z
      .url({ protocol: /^https?$/ })
      .regex(/^\S+$/)
      .optional(),
  }),
  awsEndpointUrlS3: define({
    name: 'AWS_ENDPOINT_URL_S3',
    unit: 'URL',
    expected: 'an http:// or https:// URL',
    unset: 'AWS_ENDPOINT_URL if that is an emulator, else AWS',
    about: 'Where the S3 of the archive answers, such as MinIO.',
    schema: z
      .url({ protocol: /^https?$/ })
      .regex(/^\S+$/)
      .optional(),
  }),
  awsRegion: define({
    name: 'AWS_REGION',
    unit: 'region',
    expected: 'a region name such as us-east-1',
    about: 'Region of the queue, unless its ARN or URL names another. Producers and the bridge must have the same.',
    schema: withDefault(text.regex(/^[a-z0-9-]+$/), 'us-east-1'),
  }),
  awsAccessKeyId: define({
    name: 'AWS_ACCESS_KEY_ID',
    unit: 'text',
    expected: 'an access key id, together with AWS_SECRET_ACCESS_KEY',
    unset: "the AWS SDK's own chain; `test` with a local endpoint",
    about:
      'Access key of the user that calls SQS. Leave it unset on AWS: the role of the instance, the task or the pod applies then.',
    schema: text.optional(),
  }),
  awsSecretAccessKey: define({
    name: 'AWS_SECRET_ACCESS_KEY',
    unit: 'text',
    expected: 'a secret access key, together with AWS_ACCESS_KEY_ID',
    unset: "the AWS SDK's own chain; `test` with a local endpoint",
    about: 'Secret that belongs to AWS_ACCESS_KEY_ID. A local emulator takes any.',
    isSecret: true,
    schema: text.optional(),
  }),
  awsSessionToken: define({
    name: 'AWS_SESSION_TOKEN',
    unit: 'text',
    expected: 'a session token',
    unset: 'none',
    about: 'Token that belongs to AWS_ACCESS_KEY_ID if it is temporary, as from AWS STS or SSO.',
    isSecret: true,
    schema: text.optional(),
  }),
  sqsQueueName: define({
    name: 'SQS_QUEUE_NAME',
    unit: 'name',
    expected:
      '1 to 76 letters, digits, hyphens or underscores, with .fifo at the end of a FIFO queue, or the ARN of a queue',
    about: 'The queue of raw orders. An ARN names one of another account or region; its region is used for SQS.',
    // 76: SQS allows 80, the dead-letter queue's name adds 4.
    schema: withDefault(
      text.refine((name) => (name.length <= 76 && /^[\w-]+(\.fifo)?$/.test(name)) || readArn(name) !== undefined),
      'orders',
    ),
  }),
  sqsQueueUrl: define({
    name: 'SQS_QUEUE_URL',
    unit: 'URL',
    expected: "a queue's URL, such as https://sqs.us-east-1.amazonaws.com/123456789012/orders",
    unset: 'the queue SQS_QUEUE_NAME',
    about: 'Names the queue in place of SQS_QUEUE_NAME. SQS is called where the URL says, and in its region.',
    schema: text.refine((url) => readQueueUrl(url) !== undefined).optional(),
  }),
  sqsCreateQueue: define({
    name: 'SQS_CREATE_QUEUE',
    unit: 'true or false',
    expected: 'true or false',
    unset: '`true` with a local endpoint, `false` on AWS',
    about:
      'Creates a missing queue, with a dead-letter queue `<name>-dlq`. One that is named by URL or ARN is never created.',
    schema: z
      .enum(['true', 'false'])
      .transform((given) => given === 'true')
      .optional(),
  }),
}
