import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { listen } from './listen.ts'

/** Temporary credentials as AWS gives them, numbered by the order in which they were given. */
export interface Lease {
  readonly AccessKeyId: string
  readonly SecretAccessKey: string
  readonly Token: string
  readonly Expiration: string
}

/** A server that gives temporary credentials in the ways of AWS: STS, the agent of ECS, and the metadata of EC2. */
export interface RoleServer extends AsyncDisposable {
  readonly url: string
  /** Each time that credentials were given: the call, and the key that signed it or the token that was shown. */
  readonly given: { readonly call: string; readonly by: string | undefined }[]
}

/** @param seconds that the credentials are valid for */
export async function openRoleServer(seconds: number): Promise<RoleServer> {
  const given: RoleServer['given'] = []
  const lease = (call: string, by: string | undefined): Lease => {
    const at = given.push({ call, by })
    const Expiration = new Date(Date.now() + seconds * 1_000).toISOString()
    return { AccessKeyId: `ASIA${call}${at}`, SecretAccessKey: randomUUID(), Token: `token-${at}`, Expiration }
  }
  const server = createServer(async (incoming, reply) => {
    const { url = '', method, headers } = incoming
    const send = (body: string | object): void =>
      void reply.end(typeof body === 'string' ? body : JSON.stringify({ Code: 'Success', ...body }))
    if (url === '/latest/api/token' && method === 'PUT') {
      reply.setHeader('x-aws-ec2-metadata-token-ttl-seconds', '21600')
      return send('session')
    }
    if (url === '/latest/meta-data/iam/security-credentials/') return send('orders-bridge')
    if (url === '/latest/meta-data/iam/security-credentials/orders-bridge')
      return send(lease('EC2', String(headers['x-aws-ec2-metadata-token'])))
    if (url === '/ecs') return send(lease('ECS', headers.authorization))
    const form = new URLSearchParams(await text(incoming))
    const action = form.get('Action') ?? ''
    const by = form.get('WebIdentityToken') ?? keyIn(headers.authorization)
    reply.setHeader('content-type', 'text/xml')
    send(assumed(action, lease(action.replace(/[a-z]/g, ''), by)))
  })
  return { ...(await listen(server)), given }
}

/** Returns the access key that signed a request. */
export const keyIn = (authorization = ''): string | undefined => /Credential=([^/]+)\//.exec(authorization)?.[1]

async function text(incoming: IncomingMessage): Promise<string> {
  let all = ''
  for await (const chunk of incoming) all += chunk
  return all
}

/** @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
function assumed(action: string, { AccessKeyId, SecretAccessKey, Token, Expiration }: Lease): string {
  const credentials = `<AccessKeyId>${AccessKeyId}</AccessKeyId><SecretAccessKey>${SecretAccessKey}</SecretAccessKey><SessionToken>${Token}</SessionToken><Expiration>${Expiration}</Expiration>`
  const user =
    '<AssumedRoleUser><AssumedRoleId>A:orders</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/orders-bridge/orders</Arn></AssumedRoleUser>'
  return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${user}<Credentials>${credentials}</Credentials></${action}Result><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`
}
