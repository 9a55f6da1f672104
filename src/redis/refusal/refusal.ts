import type { Config } from '../../config/config.ts'
import { type ErrorCode, messageOf, OrdersError } from '../../errors.ts'
import { firstAddress, namesRedis, safeUrl } from '../endpoint.ts'
import { certificateWanted, listenTo } from './probe.ts'

interface Refusal {
  /** Matches the message of the server, the library or the system. */
  readonly sign: RegExp
  /** True if it may pass by itself. */
  readonly passes?: true
  readonly text: (where: string, config: Config) => string
  readonly advice: string | ((config: Config) => string)
}

/** The first match is reported. */
const refusals: readonly Refusal[] = [
  {
    sign: /Last error: ERR No such master/,
    text: (_, config) => `${sentinels(config)} know no master named ${config.redisSentinelName}`,
    advice: 'set REDIS_SENTINEL_NAME',
  },
  {
    sign: /Last error: (NOAUTH|WRONGPASS)/,
    text: (_, config) => `${sentinels(config)} refuse the user or password`,
    advice: 'fix REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD',
  },
  {
    sign: /Last error: ERR unknown command/,
    text: (_, config) => `${sentinels(config)} are no sentinels`,
    advice: 'put host:port of each sentinel in REDIS_SENTINELS, or set REDIS_URL instead',
  },
  {
    sign: /^All sentinels are unreachable/,
    passes: true,
    text: (_, config) => `${sentinels(config)} do not answer`,
    advice: 'start them or fix REDIS_SENTINELS',
  },
  {
    sign: /^NOAUTH/,
    text: (where) => `${where} requires a password`,
    advice: 'put it in REDIS_URL, redis://:password@host',
  },
  {
    sign: /^WRONGPASS|invalid password/,
    text: (where) => `${where} refuses the user or password`,
    advice: ({ redisPasswordFile }) =>
      redisPasswordFile === undefined
        ? 'fix REDIS_URL, in which % is written %25, @ %40, : %3A, / %2F, ? %3F and # %23'
        : 'fix the user in REDIS_URL, and the password in the file of REDIS_PASSWORD_FILE',
  },
  {
    sign: /SELECT is not allowed in cluster mode/i,
    text: (where) => `${where} is a node of a cluster, which has only database 0`,
    advice: 'take the database out of REDIS_URL and set REDIS_CLUSTER=true',
  },
  {
    sign: /DB index is out of range/i,
    text: (where) => `${where} has no such database`,
    advice:
      'put another number at the end of REDIS_URL, or raise databases in the configuration of Redis; for a cluster, take it out and set REDIS_CLUSTER=true',
  },
  {
    sign: /^NOPERM.*'select'/,
    text: (where) => `${where} does not let its user choose a database`,
    advice: 'allow SELECT with ACL SETUSER, or take the database out of REDIS_URL',
  },
  {
    sign: /^Redis does not let the user/,
    text: (where) => `${where} denies its user a right that orders needs`,
    advice: 'run orders doctor, which names the right',
  },
  {
    sign: /cluster support disabled/,
    text: (where) => `${where} is no cluster`,
    advice: 'unset REDIS_CLUSTER, or name a node of the cluster in REDIS_URL',
  },
  {
    sign: /^speaks TLS$/,
    text: (where) => `${where} speaks TLS only`,
    advice: 'write rediss:// in REDIS_URL',
  },
  {
    sign: /^speaks no TLS$/,
    text: (where) => `${where} does not speak TLS`,
    advice: 'write redis:// in REDIS_URL, or name its TLS port there',
  },
  {
    sign: /^requires a certificate$/,
    text: (where) => `${where} requires a certificate from its clients, and orders has none`,
    advice: 'set tls-auth-clients no, or optional, in the configuration of Redis',
  },
  {
    sign: /self-signed certificate|unable to (get|verify)/,
    text: (where, { redisCaFile }) =>
      `${where} has a certificate of a CA that is not ${redisCaFile === undefined ? 'known here' : 'in REDIS_CA_FILE'}`,
    advice: 'name the PEM file of that CA in REDIS_CA_FILE',
  },
  {
    sign: /does not match certificate's altnames/,
    text: (where) => `${where} has a certificate for another name`,
    advice: 'put a name of the certificate in REDIS_URL',
  },
  {
    sign: /certificate (has expired|is not yet valid)/,
    text: (where) => `${where} has a certificate that is not valid now`,
    advice: 'renew it, or set the clock of this machine',
  },
  {
    sign: /^says /,
    text: (where) => `${where} is not Redis`,
    advice: (config) => `put the port of Redis in ${variableOf(config)}`,
  },
  {
    sign: /^DENIED/,
    text: (where) => `${where} is in protected mode and takes connections from its own machine only`,
    advice: 'give it a password and put that in REDIS_URL, or set protected-mode no if no other machine can reach it',
  },
  {
    sign: /(EACCES|EPERM).* \//,
    text: (where) => `${where} cannot be opened by this user`,
    advice: 'let the user of orders read and write the socket',
  },
  {
    sign: /^LOADING/,
    passes: true,
    text: (where) => `${where} is still loading its data`,
    advice: 'wait until it has loaded, then try again',
  },
  {
    sign: /^BUSY/,
    passes: true,
    text: (where) => `${where} is busy with a script that runs too long`,
    advice: 'wait until it ends, or end it with SCRIPT KILL',
  },
  {
    sign: /max number of clients/,
    passes: true,
    text: (where) => `${where} has reached its limit of clients`,
    advice: 'raise maxclients in the configuration of Redis, or stop clients that are not needed',
  },
]

/**
 * Returns an error that explains in one sentence why the connection to Redis failed and what to do. Its code is
 * ORD_REDIS_UNREACHABLE if that may pass by itself, else ORD_REDIS_REFUSED.
 */
export async function refusalOf(config: Config, cause: unknown): Promise<OrdersError> {
  if (cause instanceof OrdersError) return cause
  const message = messageOf(nodeError(cause))
  const reason = refusalFor(message) ? message : await probedReason(config, message)
  const refusal = refusalFor(reason)
  if (!refusal) return new OrdersError('ORD_REDIS_UNREACHABLE', absent(config, reason), { cause })
  const code: ErrorCode = refusal.passes ? 'ORD_REDIS_UNREACHABLE' : 'ORD_REDIS_REFUSED'
  const text = refusal.text(`Redis at ${safeUrl(config)}`, config)
  const advice = typeof refusal.advice === 'string' ? refusal.advice : refusal.advice(config)
  return new OrdersError(code, `${text}${isOwnWords(reason) ? '' : ` (${shortened(reason)})`}: ${advice}.`, { cause })
}

const refusalFor = (reason: string): Refusal | undefined => refusals.find(({ sign }) => sign.test(reason))

function absent(config: Config, reason: string): string {
  const text = `Redis does not answer at ${safeUrl(config)} (${shortened(reason)})`
  if (!namesRedis(config))
    return `${text}: start it, set REDIS_URL, or run npm start in this folder with the same DATA_DIR.`
  return `${text}: start it or ${config.redisSentinels ? 'check what the sentinels report' : 'set REDIS_URL'}.`
}

/** Returns the error of a cluster's last node, which has the reason. The cluster's own only says that all nodes failed. */
const nodeError = (error: unknown): unknown =>
  error instanceof Error && 'lastNodeError' in error && error.lastNodeError ? error.lastNodeError : error

/** Returns the reason by what the port itself replies, if the client was cut off or could not parse the reply. */
async function probedReason(config: Config, reason: string): Promise<string> {
  const { address, tls } = firstAddress(config)
  const heard = await listenTo(address, tls)
  const isRedis = /^[-+]/.test(heard.plain)
  if (tls && heard.tls === undefined && isRedis) return 'speaks no TLS'
  if (!tls && heard.tls !== undefined && !isRedis) return 'speaks TLS'
  const line = (tls ? heard.tls : heard.plain) || heard.plain
  if (line === certificateWanted) return 'requires a certificate'
  if (/^-(LOADING|BUSY|DENIED|ERR max number of clients)/.test(line)) return line.slice(1)
  return line === '' || /^[-+]/.test(line) ? reason : `says "${line}"`
}

const sentinels = (config: Config): string =>
  `The sentinels ${config.redisSentinels?.map(({ host, port }) => `${host}:${port}`).join(',')}`

function variableOf({ redisSentinels, redisUrl }: Config): string {
  if (redisSentinels) return 'REDIS_SENTINELS'
  return redisUrl === undefined ? 'REDIS_PORT' : 'REDIS_URL'
}

const isOwnWords = (reason: string): boolean => /^speaks |^requires |^LOADING$/.test(reason)

/** Returns the first sentence, without the advice of Redis for its operators; of sentinels the last one's error. */
const shortened = (reason: string): string =>
  reason
    .replace(/^All sentinels.* Last error: /, '')
    .trim()
    .replace(/(?<=\w)(\. |\.?\n|\.$).*/s, '')
