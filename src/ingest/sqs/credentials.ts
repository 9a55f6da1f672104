import type { SQSClientConfig } from '@aws-sdk/client-sqs'
import { defaultProvider } from '@aws-sdk/credential-provider-node'
import type { Config } from '../../config/config.ts'
import { isEmulated } from './endpoint.ts'

/**
 * The SDK's own chain: profiles, roles, what the machine has. One for all clients of a process: the queue is looked at every
 * few seconds, each time by a client of its own, which would ask STS for itself. The chain renews what it got five minutes
 * before it expires.
 */
const chains = new WeakMap<Config, ReturnType<typeof defaultProvider>>()

/** Returns the credentials for SQS and S3: those that are set, any for an emulator, or the chain. */
export function credentialsOf(config: Config): NonNullable<SQSClientConfig['credentials']> {
  const { awsAccessKeyId: accessKeyId, awsSecretAccessKey: secretAccessKey, awsSessionToken: sessionToken } = config
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
  if (isEmulated(config)) return { accessKeyId: 'test', secretAccessKey: 'test' }
  const chain = chains.get(config) ?? defaultProvider()
  chains.set(config, chain)
  return chain
}
