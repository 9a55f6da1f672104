import { isOfAws } from '../../config/aws-host.ts'
import type { Config } from '../../config/config.ts'
import { isForeign, queueAddress } from '../../config/queue-address.ts'
import { redactUrl } from '../../redact.ts'

/** Returns the URL that SQS is called at: the one that is set, or that of the queue. Undefined leaves it to the SDK. */
export function endpointUrl({ awsEndpointUrl, sqsQueueUrl }: Config): string | undefined {
  return awsEndpointUrl ?? (sqsQueueUrl && new URL(sqsQueueUrl).origin)
}

/** Returns the variable that names the endpoint. */
export function endpointVariable({ awsEndpointUrl, sqsQueueUrl }: Config): string | undefined {
  if (awsEndpointUrl !== undefined) return 'AWS_ENDPOINT_URL'
  return sqsQueueUrl && 'SQS_QUEUE_URL'
}

/** Returns the region of the queue, for which calls are signed. A platform sets AWS_REGION to its own, so it comes second. */
export const regionOf = (config: Config): string => queueAddress(config).region ?? config.awsRegion

/** Returns whether an SQS is configured. If none is, `orders start` starts its own. */
export const namesSqs = (config: Config): boolean =>
  config.awsEndpointUrl !== undefined || isForeign(queueAddress(config))

/** Returns where SQS is, for people. */
export function endpointOf(config: Config): string {
  const url = endpointUrl(config)
  return url === undefined || (isOfAws(url) && config.awsEndpointUrl === undefined)
    ? `AWS, region ${regionOf(config)}`
    : redactUrl(url)
}

/** Returns whether the queue is that of an emulator, not of AWS. */
export function isEmulated(config: Config): boolean {
  const url = endpointUrl(config)
  return url !== undefined && !isOfAws(url)
}

/** Returns whether a queue that is missing may be created: on AWS only if that is set, so that a typo makes no empty queue. */
export function mayCreate(config: Config): boolean {
  return !isForeign(queueAddress(config)) && (config.sqsCreateQueue ?? isEmulated(config))
}

/** Where the queue is, for people. */
export function queuePlace(config: Config): string {
  const { name, account } = queueAddress(config)
  return `${name}${account ? ` of account ${account}` : ''} at ${endpointOf(config)}`
}

/** Says that there is no queue, and what to do. */
export function missingText(config: Config): string {
  const advice = isForeign(queueAddress(config))
    ? `check ${config.sqsQueueUrl ? 'SQS_QUEUE_URL' : 'SQS_QUEUE_NAME'}, and that the policy of the queue allows this role`
    : `check SQS_QUEUE_NAME and ${endpointVariable(config) ?? 'AWS_REGION'}, create it, or set SQS_CREATE_QUEUE=true`
  return `There is no queue ${queuePlace(config)}: ${advice}.`
}
