import { queueNames } from '../../control/job-queues.ts'
import { spanReasons } from '../../events/fields.ts'
import { version } from '../../version.ts'
import type { EventMetric, ReadMetric } from './metric.ts'

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE'])

/** Metrics of the loops, the jobs and the API of this process since its start. */
export const processMetrics: readonly EventMetric[] = [
  {
    name: 'orders_build_info',
    type: 'gauge',
    help: '1 for each role that this process runs, with its release.',
    labels: { version: 'the release', role: 'the roles of the process: `bridge`, a stage, `jobs`, `api`' },
    by: 'all',
    on: {
      started: ({ roles }, series) => {
        for (const role of roles) series(version, role)(1)
      },
    },
  },
  {
    name: 'orders_loop_failing',
    type: 'gauge',
    help: '1 while a loop of this process fails and is restarted.',
    labels: { loop: 'the loops of the process that have ever failed, such as `bridge-1`, `validate`, `jobs-replay`' },
    by: 'all',
    on: { loopFailed: ({ loop }, series) => series(loop)(1), loopRecovered: ({ loop }, series) => series(loop)(0) },
  },
  {
    name: 'orders_jobs_done_total',
    type: 'counter',
    help: 'Jobs completed.',
    labels: { queue: queueNames },
    by: 'jobs',
    on: { jobDone: ({ queue }, series) => series(queue)(1) },
  },
  {
    name: 'orders_job_failures_total',
    type: 'counter',
    help: 'Attempts at a job that failed; a job has four.',
    labels: { queue: queueNames },
    by: 'jobs',
    on: { jobFailed: ({ queue }, series) => series(queue)(1) },
  },
  {
    name: 'orders_http_requests_total',
    type: 'counter',
    help: 'Requests answered, by route and class of status.',
    labels: {
      method: 'GET, HEAD, POST, PUT, DELETE, and `other`',
      route: 'the patterns of the routes, such as `/users/{user_id}/stats`, and `-` for every path that is none',
      status: ['2xx', '3xx', '4xx', '5xx'],
    },
    by: 'all',
    on: {
      request: ({ method, route, status }, series) => {
        series(methods.has(method) ? method : 'other', route, `${Math.floor(status / 100)}xx`)(1)
      },
    },
  },
  {
    name: 'orders_http_request_duration_seconds',
    type: 'histogram',
    help: 'Duration of a request.',
    labels: { route: 'the patterns of the routes' },
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    by: 'all',
    on: {
      request: ({ route, durationMs }, series) => {
        if (route !== '-') series(route)(durationMs / 1_000)
      },
    },
  },
  {
    name: 'orders_http_denied_total',
    type: 'counter',
    help: 'Requests that the guard of the admin and writing routes refused.',
    labels: { status: ['401', '403', '429'] },
    by: 'api',
    on: { denied: ({ status }, series) => series(String(status))(1) },
  },
  {
    name: 'orders_spans_dropped_total',
    type: 'counter',
    help: 'Spans that the collector of traces has not got: it is away, too many wait for it, or there were more than 500 messages to trace in a second.',
    labels: { reason: spanReasons },
    by: 'all',
    on: { spansDropped: ({ reason, spans }, series) => series(reason)(spans) },
  },
]

/** Metrics of the process's own log: a log line about dropped lines would be dropped, too. */
export const logMetrics: readonly ReadMetric<number>[] = [
  {
    name: 'orders_log_lines_dropped_total',
    type: 'counter',
    help: 'Log lines that could not be written: the disk is full, or no process reads the pipe.',
    by: 'all',
    read: (lines) => [[lines]],
  },
]
