import { z } from 'zod'
import { count, define, text, withDefault } from '../variable.ts'

export const processVariables = {
  startWaitMs: count(
    'START_WAIT_MS',
    60_000,
    3_600_000,
    'Time that `orders run` and `orders start` wait for a Redis or an SQS that does not answer yet.',
    'ms',
    0,
  ),
  stopGraceMs: count('STOP_GRACE_MS', 4_000, 600_000, 'Time that a stop waits for work in flight.', 'ms', 0),
  drainMs: count(
    'DRAIN_MS',
    0,
    600_000,
    'Time after SIGTERM during which a process still answers at API_PORT or METRICS_PORT, for load balancers to see `/readyz` 503.',
    'ms',
    0,
  ),
  dataDir: define({
    name: 'DATA_DIR',
    unit: 'path',
    expected: 'a folder',
    about: 'Folder for the data of the local emulators of `orders start`.',
    schema: withDefault(text, '.data'),
  }),
  otelExporterOtlpEndpoint: define({
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    unit: 'URL',
    expected: 'an http:// or https:// URL',
    unset: 'no traces',
    about:
      'OpenTelemetry collector (OTLP over HTTP) that receives the traces of orders, from their producers through SQS to the leaderboard.',
    schema: z
      .url({ protocol: /^https?$/ })
      .regex(/^\S+$/)
      .optional(),
  }),
  otelTracesSamplerArg: define({
    name: 'OTEL_TRACES_SAMPLER_ARG',
    unit: 'share',
    expected: 'a number from 0 to 1',
    about: 'Share of the batches, requests and jobs that are traced if what began them carries no decision.',
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
    about: 'Minimum level of log lines (JSON on stderr).',
    schema: withDefault(z.enum(['debug', 'info', 'warn', 'error', 'silent']), 'info'),
  }),
}
