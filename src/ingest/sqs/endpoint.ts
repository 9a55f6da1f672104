import type { Config } from '../../config/config.ts'
import { redactUrl } from '../../redact.ts'

/** Returns where SQS is, for people. */
export function endpointOf({ awsEndpointUrl, awsRegion }: Config): string {
  return awsEndpointUrl === undefined ? `AWS, region ${awsRegion}` : redactUrl(awsEndpointUrl)
}
