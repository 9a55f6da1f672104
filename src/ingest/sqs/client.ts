import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs'
import type { Config } from '../../config/config.ts'
import { credentialsOf } from './credentials.ts'
import { endpointUrl, regionOf } from './endpoint.ts'
import { md5, sha256 } from './hashes.ts'
import type { Sqs } from './types.ts'

/** Long enough for a slow network, short enough for a person waiting for the first line. */
const connectMs = 5_000
/** 64 pollers hold one each, their deletions another, and renewals sixteen: none may wait for a long poll to end. */
const maxSockets = 160
/** The longest long poll is 20 s. */
const answerMs = 30_000

/** Opens the SDK's client, or the thin one with the SDK's region, endpoint and credentials, which is loaded only then. */
export async function openTransport(config: Config): Promise<Sqs> {
  const sdk = openSdk(config)
  if (config.sqsTransport === 'sdk') return sdk
  const { openThin } = await import('./thin/client.ts')
  return openThin(sdk, { connectMs, answerMs, maxSockets })
}

/** Opens the SDK's client, whatever SQS_TRANSPORT says. */
export const openSdk = (config: Config): SQSClient => new SQSClient(clientOptions(config))

export function clientOptions(config: Config): SQSClientConfig {
  const endpoint = endpointUrl(config)
  return {
    region: regionOf(config),
    credentials: credentialsOf(config),
    sha256,
    md5,
    ...(endpoint && { endpoint }),
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: answerMs,
      throwOnRequestTimeout: true, // or it only warns
      httpAgent: { maxSockets },
      httpsAgent: { maxSockets },
    },
  }
}
