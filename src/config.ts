import { z } from 'zod'
import { readEnvFile } from './config/env-file.ts'
import {
  expectedHost,
  expectedRedisUrl,
  isHost,
  type RedisPlace,
  readAddress,
  readRedisUrl,
  splitUrls,
  unreadable,
} from './config/redis-url.ts'
import { OrdersError } from './errors.ts'
import { mostPartitions } from './partitions.ts'
import { redactUrl } from './redact.ts'

export interface Variable<S extends z.ZodType = z.ZodType> {
  readonly name: string
  /** What the value is measured in, or its kind. */
  readonly unit: string
  /** What a refused value is told. */
  readonly expected: string
  /** What is expected instead of this very value, where there is more to say. */
  readonly expectedOf?: (given: string) => string | undefined
  readonly about: string
  /** No message shows its value. */
  readonly isSecret?: true
  /** The default where it is not a value but a behaviour. */
  readonly unset?: string
  readonly schema: S
}

/** What a message's deletion from SQS waits for. */
export type DeleteAfter =
  | { readonly kind: 'write' | 'fsync' }
  | { readonly kind: 'replicas'; readonly replicas: number }

const text = z.string()
const integer = (min: number, max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(min).max(max))
const withDefault = <S extends z.ZodType>(schema: S, value: z.output<S>) =>
  schema.optional().transform((given): z.output<S> => given ?? value)
const define = <S extends z.ZodType>(variable: Variable<S>): Variable<S> => variable
const count = (name: string, value: number, max: number, about: string, unit = 'count', min = 1) =>
  define({
    name,
    unit,
    about,
    expected: `a whole number from ${min} to ${max}`,
    schema: withDefault(integer(min, max), value),
  })

/** As a browser writes it. */
const isOrigin = (given: string): boolean =>
  URL.canParse(given) && /^https?:/.test(given) && new URL(given).origin === given

/** Every environment variable: declared here once, printed into the README from here. */
export const variables = {
  awsEndpointUrl: define({
    name: 'AWS_ENDPOINT_URL',
    unit: 'URL',
    expected: 'an http:// or https:// URL',
    unset: 'real AWS for `orders run`; local stand-in for `orders start`',
    about: 'Where SQS is.',
    schema: z
      .url({ protocol: /^https?$/ })
      .regex(/^\S+$/)
      .optional(),
  }),
  awsRegion: define({
    name: 'AWS_REGION',
    unit: 'region',
    expected: 'a region name such as us-east-1',
    about: 'Region of the queue.',
    schema: withDefault(text.regex(/^[a-z0-9-]+$/), 'us-east-1'),
  }),
  awsAccessKeyId: define({
    name: 'AWS_ACCESS_KEY_ID',
    unit: 'text',
    expected: 'an access key id, together with AWS_SECRET_ACCESS_KEY',
    unset: "the AWS SDK's own chain; `test` with a local endpoint",
    about: 'Credentials.',
    schema: text.optional(),
  }),
  awsSecretAccessKey: define({
    name: 'AWS_SECRET_ACCESS_KEY',
    unit: 'text',
    expected: 'a secret access key, together with AWS_ACCESS_KEY_ID',
    unset: "the AWS SDK's own chain; `test` with a local endpoint",
    about: 'Credentials.',
    isSecret: true,
    schema: text.optional(),
  }),
  awsSessionToken: define({
    name: 'AWS_SESSION_TOKEN',
    unit: 'text',
    expected: 'a session token',
    unset: 'none',
    about: 'Session token of temporary credentials.',
    isSecret: true,
    schema: text.optional(),
  }),
  sqsQueueName: define({
    name: 'SQS_QUEUE_NAME',
    unit: 'name',
    expected: '1 to 76 letters, digits, hyphens or underscores',
    about: 'The queue of raw orders; created if missing, with a dead-letter queue `<name>-dlq`.',
    // 76: SQS allows 80, the dead-letter queue's name adds 4.
    schema: withDefault(text.regex(/^[\w-]{1,76}$/), 'orders'),
  }),
  redisHost: define({
    name: 'REDIS_HOST',
    unit: 'host',
    expected: 'a host name or address',
    expectedOf: expectedHost,
    unset: '`localhost` for `orders run`; local stand-in for `orders start`',
    about: 'Where Redis is.',
    schema: text.refine(isHost).optional(),
  }),
  redisPort: define({
    name: 'REDIS_PORT',
    unit: 'port',
    expected: 'a port number from 1 to 65535',
    unset: '`6379`',
    about: 'Port of Redis.',
    schema: integer(1, 65_535).optional(),
  }),
  redisUrl: define({
    name: 'REDIS_URL',
    unit: 'URL',
    expected: expectedRedisUrl,
    expectedOf: (given) => unreadable(given)[0],
    unset: 'REDIS_HOST and REDIS_PORT',
    about:
      'Where Redis is, with user, password, database or TLS (`rediss://`), or the path of its socket; wins over REDIS_HOST and REDIS_PORT. Of a cluster, one or more nodes, separated by commas.',
    schema: text.refine((given) => unreadable(given).length === 0).optional(),
  }),
  redisCaFile: define({
    name: 'REDIS_CA_FILE',
    unit: 'path',
    expected: 'the path of a PEM file',
    unset: 'the CAs that Node knows',
    about: 'Certificates of the CA that signed the certificate of Redis, for `rediss://`.',
    schema: text.optional(),
  }),
  redisSentinels: define({
    name: 'REDIS_SENTINELS',
    unit: 'list',
    expected: 'host:port of each sentinel, separated by commas',
    unset: 'none',
    about:
      'Sentinels that say where the master is. Of REDIS_URL then only user, password, database and TLS count, TLS for the sentinels too.',
    schema: text
      .transform((given) => given.split(',').map((sentinel) => readAddress(sentinel.trim(), 26_379)))
      .pipe(z.array(z.object({ host: text, port: z.int() })))
      .optional(),
  }),
  redisSentinelName: define({
    name: 'REDIS_SENTINEL_NAME',
    unit: 'name',
    expected: 'the name of a master that the sentinels watch',
    about: 'Name under which the sentinels know the master.',
    schema: withDefault(text.regex(/^\S+$/), 'mymaster'),
  }),
  redisSentinelUsername: define({
    name: 'REDIS_SENTINEL_USERNAME',
    unit: 'text',
    expected: 'a user name',
    unset: 'none',
    about: 'User at the sentinels themselves.',
    schema: text.optional(),
  }),
  redisSentinelPassword: define({
    name: 'REDIS_SENTINEL_PASSWORD',
    unit: 'text',
    expected: 'a password',
    unset: 'none',
    about: 'Password of the sentinels themselves.',
    isSecret: true,
    schema: text.optional(),
  }),
  redisCluster: define({
    name: 'REDIS_CLUSTER',
    unit: 'flag',
    expected: '`true` or `false`',
    about: 'Whether REDIS_URL names a Redis Cluster; every key then carries a hash tag.',
    schema: withDefault(
      z.enum(['true', 'false']).transform((given) => given === 'true'),
      false,
    ),
  }),
  partitions: define({
    name: 'PARTITIONS',
    unit: 'count',
    expected: `a whole number from 1 to ${mostPartitions}`,
    unset: 'none, and bare key names; 1 on a Redis Cluster',
    about: 'Partitions of the work, by user; each has its own keys in one slot. Changed by `orders repartition` only.',
    schema: integer(1, mostPartitions).optional(),
  }),
  apiHost: define({
    name: 'API_HOST',
    unit: 'host',
    expected: 'a host name or address to listen on',
    about: 'Address the API listens on; `0.0.0.0` is every interface.',
    schema: withDefault(text.regex(/^[^\s/]+$/), '127.0.0.1'),
  }),
  apiAllowedHosts: define({
    name: 'API_ALLOWED_HOSTS',
    unit: 'names',
    expected: 'host names separated by commas, such as `orders.example.com`, `.example.com` for all below it, or `*`',
    unset: 'localhost and addresses',
    about:
      'Names under which clients reach the API, as in the Host header. Another name is refused: a page could make its own lead here (DNS rebinding).',
    schema: text
      .transform((given) => given.split(',').map((name) => name.trim().toLowerCase()))
      .pipe(z.array(z.string().regex(/^(\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/)))
      .optional(),
  }),
  apiPublic: define({
    name: 'API_PUBLIC',
    unit: 'flag',
    expected: '`true` or `false`',
    about:
      "Whether whole orders and operators' names are shown without the token, where API_HOST is open to other machines. Writing needs it in any case.",
    schema: withDefault(
      z.enum(['true', 'false']).transform((given) => given === 'true'),
      false,
    ),
  }),
  apiPort: define({
    name: 'API_PORT',
    unit: 'port',
    expected: 'a port number from 0 to 65535',
    about: 'Port of the API; 0 takes a free one.',
    schema: withDefault(integer(0, 65_535), 8000),
  }),
  adminToken: define({
    name: 'ADMIN_TOKEN',
    unit: 'text',
    expected: 'a token of at least 16 characters without white space, such as openssl rand -hex 16 prints',
    unset: 'nobody may; with `orders start` this machine may',
    about: 'Who sends it (Bearer, or Basic with any user name) may use the admin part and the writing routes.',
    isSecret: true,
    // 16 characters of hex are 64 bits: no number of guesses a minute gets there.
    schema: text.regex(/^\S{16,}$/).optional(),
  }),
  apiBasePath: define({
    name: 'API_BASE_PATH',
    unit: 'path',
    expected: 'a path such as /orders-app, without a slash at its end',
    unset: 'none',
    about:
      'Path at which a proxy serves the API, such as `/orders-app`: Bull Board needs it. The API answers there too, for a proxy that leaves the path as it is.',
    schema: withDefault(text.regex(/^(\/[\w.~-]+)+$/), ''),
  }),
  apiCorsOrigins: define({
    name: 'API_CORS_ORIGINS',
    unit: 'origins',
    expected: 'origins separated by commas, such as https://shop.example',
    unset: 'no other site',
    about:
      'Sites whose pages may read the API from a browser (CORS), by their exact origin, separated by commas. None may write.',
    schema: text
      .transform((given) => given.split(','))
      .refine((origins) => origins.every(isOrigin))
      .optional(),
  }),
  metricsPort: define({
    name: 'METRICS_PORT',
    unit: 'port',
    expected: 'a port number from 0 to 65535',
    unset: 'not served',
    about: 'Where a process without the API serves `/metrics`, `/livez` and `/readyz` (on API_HOST).',
    schema: integer(0, 65_535).optional(),
  }),
  bridgePollers: count(
    'BRIDGE_POLLERS',
    4,
    64,
    'SQS pollers per bridge process; each holds at most six receives of 10 messages.',
  ),
  sqsWaitTimeSeconds: count('SQS_WAIT_TIME_SECONDS', 20, 20, 'Long poll of an empty queue.', 's'),
  sqsVisibilityTimeoutSeconds: count(
    'SQS_VISIBILITY_TIMEOUT_SECONDS',
    30,
    43_200,
    'How long SQS hides a received message before it hands it out again.',
    's',
    5,
  ),
  sqsTransport: define({
    name: 'SQS_TRANSPORT',
    unit: 'name',
    expected: '`sdk` or `thin`',
    about: 'How SQS is called: by the AWS SDK, or by a thin client over what the SDK knows, for half the CPU.',
    schema: withDefault(z.enum(['sdk', 'thin']), 'sdk'),
  }),
  sqsDeleteAfter: define({
    name: 'SQS_DELETE_AFTER',
    unit: 'event',
    expected: '`write`, `fsync` or `replicas:N` with N from 1 to 9',
    unset: '`fsync` where Redis keeps an append-only file, else `write`',
    about:
      'When a message is deleted from SQS: when Redis has replied to the write, when it is on its disk, or when N replicas have it.',
    schema: text
      .regex(/^(write|fsync|replicas:[1-9])$/)
      .transform((given): DeleteAfter => {
        const [kind, replicas] = given.split(':')
        return kind === 'replicas' ? { kind, replicas: Number(replicas) } : { kind: kind === 'fsync' ? kind : 'write' }
      })
      .optional(),
  }),
  highWaterOrders: count(
    'HIGH_WATER_ORDERS',
    100_000,
    100_000_000,
    'The bridge receives no more once so many orders wait in Redis (looked at every 250 ms), until they are a fifth less.',
    'orders',
  ),
  highWaterMemory: count(
    'HIGH_WATER_MEMORY',
    80,
    100,
    'The same for the share of `maxmemory` that Redis uses (80: from 80 % on, until below 64 %); without a `maxmemory` it has no effect.',
    '%',
  ),
  stageInFlight: count(
    'STAGE_IN_FLIGHT',
    4,
    16,
    'Most commits per stage and process in flight at once; one while little waits.',
  ),
  batchRecords: count('BATCH_RECORDS', 500, 5_000, 'Most records in one commit.', 'records'),
  blockMs: count(
    'BLOCK_MS',
    400,
    10_000,
    'Longest blocking read of a stream; a pause or a stop waits for it.',
    'ms',
    10,
  ),
  claimIdleMs: count(
    'CLAIM_IDLE_MS',
    10_000,
    3_600_000,
    'Entries whose consumer has been silent for so long are claimed by another.',
    'ms',
  ),
  ledgerDays: count(
    'LEDGER_DAYS',
    14,
    365,
    "How long an admitted order is remembered, at least. 14 is SQS's longest retention. Fixed once Redis is set up.",
    'days',
  ),
  ledgerBuckets: count(
    'LEDGER_BUCKETS',
    65_536,
    16_777_216,
    'Buckets per generation of the ledger; best below 100 orders each. Fixed once Redis is set up.',
  ),
  jobLockMs: count(
    'JOB_LOCK_MS',
    10_000,
    600_000,
    'A job whose worker has been silent for so long is taken over by another.',
    'ms',
    500,
  ),
  jobVerdictMs: count(
    'JOB_VERDICT_MS',
    60_000,
    3_600_000,
    'How long a job waits for the stages to judge another of its orders before the attempt fails.',
    'ms',
    100,
  ),
  startWaitMs: count(
    'START_WAIT_MS',
    60_000,
    3_600_000,
    'How long `orders run` and `orders start` wait for a Redis or an SQS that does not answer yet.',
    'ms',
    0,
  ),
  stopGraceMs: count('STOP_GRACE_MS', 4_000, 600_000, 'How long a stop waits for work in hand.', 'ms', 0),
  drainMs: count(
    'DRAIN_MS',
    0,
    600_000,
    'How long after SIGTERM a process still answers at API_PORT or METRICS_PORT, for load balancers to see `/readyz` 503.',
    'ms',
    0,
  ),
  dataDir: define({
    name: 'DATA_DIR',
    unit: 'path',
    expected: 'a folder',
    about: 'Where the local stand-ins of `orders start` keep their data.',
    schema: withDefault(text, '.data'),
  }),
  otelExporterOtlpEndpoint: define({
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    unit: 'URL',
    expected: 'an http:// or https:// URL',
    unset: 'no traces',
    about: 'OpenTelemetry collector (OTLP over HTTP) that gets a span per batch, from SQS to ranked.',
    schema: z
      .url({ protocol: /^https?$/ })
      .regex(/^\S+$/)
      .optional(),
  }),
  otelTracesSamplerArg: define({
    name: 'OTEL_TRACES_SAMPLER_ARG',
    unit: 'share',
    expected: 'a number from 0 to 1',
    about: 'Share of the receives that are traced, where the message says nothing of it.',
    schema: withDefault(
      text
        .regex(/^\d+(\.\d+)?$/)
        .transform(Number)
        .pipe(z.number().min(0).max(1)),
      1,
    ),
  }),
  logLevel: define({
    name: 'LOG_LEVEL',
    unit: 'level',
    expected: 'one of debug, info, warn, error, silent',
    about: 'Least level of log lines (JSON on stderr).',
    schema: withDefault(z.enum(['debug', 'info', 'warn', 'error', 'silent']), 'info'),
  }),
}

export type Config = { readonly [K in keyof typeof variables]: z.output<(typeof variables)[K]['schema']> }

/**
 * Reads the configuration. An empty variable counts as unset.
 * @throws OrdersError ORD_CONFIG with one line per variable that cannot be used.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const config: Record<string, unknown> = {}
  const complaints: string[] = []
  for (const [key, { name, expected, expectedOf, schema }] of Object.entries<Variable>(variables)) {
    const given = env[name] || undefined
    const parsed = schema.safeParse(given)
    if (parsed.success) config[key] = parsed.data
    else complaints.push(complaint(name, given, expectedOf?.(String(given)) ?? expected))
  }
  complaints.push(...halfCredentials(env), ...contradictions(env, config))
  if (complaints.length > 0) throw new OrdersError('ORD_CONFIG', complaints.join('\n'))
  return config as Config
}

/** The environment of this process, with `.env` of the working folder behind it. The only reader of process.env. */
export function processEnv(): NodeJS.ProcessEnv {
  for (const [name, value] of Object.entries(readEnvFile('.env'))) process.env[name] ??= value
  return process.env
}

/** Markdown table of every variable. */
export function configTable(): string {
  const rows = Object.values<Variable>(variables).map(({ name, unit, about, unset, schema }) => {
    const fallback = unset ?? `\`${schema.parse(undefined)}\``
    return `| \`${name}\` | ${unit} | ${fallback} | ${about} |`
  })
  return ['| variable | unit | default | |', '|---|---|---|---|', ...rows].join('\n')
}

function complaint(name: string, given: unknown, expected: string): string {
  const { isSecret = false } = Object.values<Variable>(variables).find((variable) => variable.name === name) ?? {}
  const shown = isSecret ? '***' : redactUrl(String(given))
  return `${name} is ${JSON.stringify(shown)}: expected ${expected}.`
}

function halfCredentials({ AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret }: NodeJS.ProcessEnv): string[] {
  if (Boolean(id) === Boolean(secret)) return []
  const [set, missing] = id ? ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'] : ['SECRET_ACCESS_KEY', 'ACCESS_KEY_ID']
  return [`AWS_${missing} is not set: expected together with AWS_${set}.`]
}

/** What each variable allows, and not both. */
function contradictions(env: NodeJS.ProcessEnv, config: Partial<Config>): string[] {
  const { redisUrl = '', redisCluster, redisSentinels } = config
  const places = splitUrls(redisUrl).map(readRedisUrl)
  const some = (what: (place: RedisPlace) => boolean): boolean =>
    redisUrl !== '' && places.some((place) => typeof place !== 'string' && what(place))
  const hasPath = some(({ address }) => 'path' in address)
  const urls = (expected: string): string[] => [complaint('REDIS_URL', redisUrl, expected)]
  if (redisSentinels && redisCluster)
    return [complaint('REDIS_SENTINELS', env['REDIS_SENTINELS'], 'none with REDIS_CLUSTER=true')]
  if (redisSentinels && hasPath) return urls(`${expectedNode}, with REDIS_SENTINELS`)
  if (redisCluster && hasPath) return urls(`${expectedNode}, with REDIS_CLUSTER=true`)
  if (redisCluster && some(({ database }) => database > 0))
    return urls('no database: a Redis Cluster has only database 0')
  if (!redisCluster && places.length > 1) return urls('one URL, or REDIS_CLUSTER=true beside it')
  return []
}

const expectedNode = 'a redis:// or rediss:// URL'
