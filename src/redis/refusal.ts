import type { Config } from '../config.ts'
import { type ErrorCode, messageOf, OrdersError } from '../errors.ts'
import { firstAddress, namesRedis, safeUrl } from './endpoint.ts'
import { certificateWanted, listenTo } from './probe.ts'

interface Refusal {
  /** In what the server, the library or the machine says. */
  readonly sign: RegExp
  /** Whether it may pass by itself. */
  readonly passes?: true
  readonly told: (where: string, config: Config) => string
  readonly advice: string | ((config: Config) => string)
}

/** The first that fits is said. */
const refusals: readonly Refusal[] = [
  {
    sign: /Last error: ERR No such master/,
    told: (_, config) => `${sentinels(config)} know no master named ${config.redisSentinelName}`,
    advice: 'set REDIS_SENTINEL_NAME',
  },
  {
    sign: /Last error: (NOAUTH|WRONGPASS)/,
    told: (_, config) => `${sentinels(config)} refuse the user or password`,
    advice: 'mend REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD',
  },
  {
    sign: /Last error: ERR unknown command/,
    told: (_, config) => `${sentinels(config)} are no sentinels`,
    advice: 'put host:port of each sentinel in REDIS_SENTINELS, or set REDIS_URL instead',
  },
  {
    sign: /^All sentinels are unreachable/,
    passes: true,
    told: (_, config) => `${sentinels(config)} do not answer`,
    advice: 'start them or mend REDIS_SENTINELS',
  },
  {
    sign: /^NOAUTH/,
    told: (where) => `${where} wants a password`,
    advice: 'put it in REDIS_URL, redis://:password@host',
  },
  {
    sign: /^WRONGPASS|invalid password/,
    told: (where) => `${where} refuses the user or password`,
    advice: 'mend REDIS_URL, in which % is written %25, @ %40, : %3A, / %2F, ? %3F and # %23',
  },
  {
    sign: /SELECT is not allowed in cluster mode/i,
    told: (where) => `${where} is a node of a cluster, which has only database 0`,
    advice: 'take the database out of REDIS_URL and set REDIS_CLUSTER=true',
  },
  {
    sign: /DB index is out of range/i,
    told: (where) => `${where} has no such database`,
    advice: 'put another number at the end of REDIS_URL, or raise databases in the configuration of Redis',
  },
  {
    sign: /^NOPERM.*'select'/,
    told: (where) => `${where} does not let its user choose a database`,
    advice: 'allow SELECT with ACL SETUSER, or take the database out of REDIS_URL',
  },
  {
    sign: /^Redis does not let the user/,
    told: (where) => `${where} keeps from its user what orders needs`,
    advice: 'have a look at what orders doctor says',
  },
  {
    sign: /cluster support disabled/,
    told: (where) => `${where} is no cluster`,
    advice: 'unset REDIS_CLUSTER, or name a node of the cluster in REDIS_URL',
  },
  {
    sign: /^speaks TLS$/,
    told: (where) => `${where} speaks TLS only`,
    advice: 'write rediss:// in REDIS_URL',
  },
  {
    sign: /^speaks no TLS$/,
    told: (where) => `${where} does not speak TLS`,
    advice: 'write redis:// in REDIS_URL, or name its TLS port there',
  },
  {
    sign: /^wants a certificate$/,
    told: (where) => `${where} wants a certificate from its clients, and orders has none`,
    advice: 'set tls-auth-clients no, or optional, in the configuration of Redis',
  },
  {
    sign: /self-signed certificate|unable to (get|verify)/,
    told: (where, { redisCaFile }) =>
      `${where} has a certificate of a CA that is not ${redisCaFile === undefined ? 'known here' : 'in REDIS_CA_FILE'}`,
    advice: 'name the PEM file of that CA in REDIS_CA_FILE',
  },
  {
    sign: /does not match certificate's altnames/,
    told: (where) => `${where} has a certificate for another name`,
    advice: 'put a name of the certificate in REDIS_URL',
  },
  {
    sign: /certificate (has expired|is not yet valid)/,
    told: (where) => `${where} has a certificate that is not valid now`,
    advice: 'renew it, or set the clock of this machine',
  },
  {
    sign: /^says /,
    told: (where) => `${where} is something else`,
    advice: (config) => `put the port of Redis in ${variableOf(config)}`,
  },
  {
    sign: /^DENIED/,
    told: (where) => `${where} is in protected mode and takes connections from its own machine only`,
    advice: 'give it a password and put that in REDIS_URL, or set protected-mode no where nobody else reaches it',
  },
  {
    sign: /(EACCES|EPERM).* \//,
    told: (where) => `${where} may not be opened by this user`,
    advice: 'let the user of orders read and write the socket',
  },
  {
    sign: /^LOADING/,
    passes: true,
    told: (where) => `${where} is still loading its data`,
    advice: 'wait until it has loaded, and then try again',
  },
  {
    sign: /^BUSY/,
    passes: true,
    told: (where) => `${where} is busy with a script that runs too long`,
    advice: 'wait until it ends, or end it with SCRIPT KILL',
  },
  {
    sign: /max number of clients/,
    passes: true,
    told: (where) => `${where} has as many clients as it takes`,
    advice: 'raise maxclients in the configuration of Redis, or stop clients that are not needed',
  },
]

/**
 * Says in one sentence why Redis cannot be connected to and what to do. The code tells whether that may pass by itself:
 * ORD_REDIS_UNREACHABLE, or cannot: ORD_REDIS_REFUSED.
 */
export async function refusalOf(config: Config, cause: unknown): Promise<OrdersError> {
  if (cause instanceof OrdersError) return cause
  const said = messageOf(nodeError(cause))
  const reason = refusalFor(said) ? said : await overheard(config, said)
  const refusal = refusalFor(reason)
  if (!refusal) return new OrdersError('ORD_REDIS_UNREACHABLE', absent(config, reason), { cause })
  const code: ErrorCode = refusal.passes ? 'ORD_REDIS_UNREACHABLE' : 'ORD_REDIS_REFUSED'
  const told = refusal.told(`Redis at ${safeUrl(config)}`, config)
  const advice = typeof refusal.advice === 'string' ? refusal.advice : refusal.advice(config)
  return new OrdersError(code, `${told}${isOwnWords(reason) ? '' : ` (${shortened(reason)})`}: ${advice}.`, { cause })
}

const refusalFor = (reason: string): Refusal | undefined => refusals.find(({ sign }) => sign.test(reason))

function absent(config: Config, reason: string): string {
  const told = `Redis does not answer at ${safeUrl(config)} (${shortened(reason)})`
  if (!namesRedis(config)) return `${told}: start it, set REDIS_URL, or run npm start in this folder.`
  return `${told}: start it or ${config.redisSentinels ? 'see what the sentinels say of it' : 'set REDIS_URL'}.`
}

/** A cluster only says that none of its nodes could be asked; the last of them says why. */
const nodeError = (error: unknown): unknown =>
  error instanceof Error && 'lastNodeError' in error && error.lastNodeError ? error.lastNodeError : error

/** Says what the port itself says, where the client could not make it out: it was hung up on, or not understood. */
async function overheard(config: Config, reason: string): Promise<string> {
  const { address, tls } = firstAddress(config)
  const heard = await listenTo(address, tls)
  const isRedis = /^[-+]/.test(heard.plain)
  if (tls && heard.tls === undefined && isRedis) return 'speaks no TLS'
  if (!tls && heard.tls !== undefined && !isRedis) return 'speaks TLS'
  const line = (tls ? heard.tls : heard.plain) || heard.plain
  if (line === certificateWanted) return 'wants a certificate'
  if (/^-(LOADING|BUSY|DENIED|ERR max number of clients)/.test(line)) return line.slice(1)
  return line === '' || /^[-+]/.test(line) ? reason : `says "${line}"`
}

const sentinels = (config: Config): string =>
  `The sentinels ${config.redisSentinels?.map(({ host, port }) => `${host}:${port}`).join(',')}`

function variableOf({ redisSentinels, redisUrl }: Config): string {
  if (redisSentinels) return 'REDIS_SENTINELS'
  return redisUrl === undefined ? 'REDIS_PORT' : 'REDIS_URL'
}

const isOwnWords = (reason: string): boolean => /^speaks |^wants |^LOADING$/.test(reason)

/** The first sentence, without the advice that Redis gives its own operators; of sentinels what the last of them said. */
const shortened = (reason: string): string =>
  reason
    .replace(/^All sentinels.* Last error: /, '')
    .trim()
    .replace(/(?<=\w)(\. |\.?\n|\.$).*/s, '')
