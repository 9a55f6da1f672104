import { existsSync } from 'node:fs'
import { z } from 'zod'
import { OrdersError } from './errors.ts'
import { mostPartitions } from './partitions.ts'

export interface Variable<S extends z.ZodType = z.ZodType> {
  readonly name: string
  /** What the value is measured in, or its kind. */
  readonly unit: string
  /** What a refused value is told. */
  readonly expected: string
  readonly about: string
  /** The default where it is not a value but a behaviour. */
  readonly unset?: string
  readonly schema: S
}

/** What a message's deletion from SQS waits for. */
export type DeleteAfter =
  | { readonly kind: 'write' | 'fsync' }
  | { readonly kind: 'replicas'; readonly replicas: number }

const text = z.string()
const redisUrl = z.url({ protocol: /^rediss?$/ }).regex(/^rediss?:\/\/[^\s/]\S*$/)
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
    schema: text.optional(),
  }),
  awsSessionToken: define({
    name: 'AWS_SESSION_TOKEN',
    unit: 'text',
    expected: 'a session token',
    unset: 'none',
    about: 'Session token of temporary credentials.',
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
    unset: '`localhost` for `orders run`; local stand-in for `orders start`',
    about: 'Where Redis is.',
    schema: text.regex(/^[^\s/]+$/).optional(),
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
    expected: 'a redis:// or rediss:// URL',
    unset: 'REDIS_HOST and REDIS_PORT',
    about:
      'Where Redis is, with user, password, database or TLS; wins over REDIS_HOST and REDIS_PORT. Of a cluster, one or more nodes, separated by commas.',
    schema: text.refine((urls) => urls.split(',').every((url) => redisUrl.safeParse(url).success)).optional(),
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
    expected: 'a token without white space',
    unset: 'admin and writing routes answer on loopback only',
    about: 'Who sends it (Bearer, or Basic with any user name) may use the admin part and the writing routes.',
    schema: text.regex(/^\S+$/).optional(),
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
  for (const [key, { name, expected, schema }] of Object.entries<Variable>(variables)) {
    const given = env[name] || undefined
    const parsed = schema.safeParse(given)
    if (parsed.success) config[key] = parsed.data
    else complaints.push(complaint(name, given, expected))
  }
  complaints.push(...halfCredentials(env))
  if (complaints.length > 0) throw new OrdersError('ORD_CONFIG', complaints.join('\n'))
  return config as Config
}

/** The environment of this process, with `.env` of the working folder behind it. The only reader of process.env. */
export function processEnv(): NodeJS.ProcessEnv {
  if (existsSync('.env')) process.loadEnvFile('.env')
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
  const shown = String(given).replace(/^.*@/s, '***@') // whatever stands before an @ may be a password
  return `${name} is ${JSON.stringify(shown)}: expected ${expected}.`
}

function halfCredentials({ AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret }: NodeJS.ProcessEnv): string[] {
  if (Boolean(id) === Boolean(secret)) return []
  const [set, missing] = id ? ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'] : ['SECRET_ACCESS_KEY', 'ACCESS_KEY_ID']
  return [`AWS_${missing} is not set: expected together with AWS_${set}.`]
}
