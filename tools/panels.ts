/** A panel of the dashboard. The unit is one of Grafana's names. Each query has the legend of its lines. */
export interface Panel {
  readonly title: string
  readonly unit: string
  readonly queries: readonly (readonly [expr: string, legend: string])[]
  readonly about?: string
  /** True to show exemplars: a point leads to the trace of one order. */
  readonly exemplars?: true
}

const per = (rate: string, ...labels: string[]): string =>
  `sum by (${labels.join(', ')}) (rate(${rate}[$__rate_interval]))`
const quantiles = (name: string, ...by: string[]): Panel['queries'] =>
  [0.5, 0.99].map((share) => [
    `histogram_quantile(${share}, ${per(`${name}_bucket`, 'le', ...by)})`,
    [...by.map((label) => `{{${label}}}`), `p${share * 100}`].join(' '),
  ])
const mean = (name: string): string => `${per(`${name}_sum`, 'stage')} / ${per(`${name}_count`, 'stage')}`

/** Lists the rows in the order of the pipeline. Gauges use `max`, because all API or bridge processes report the same value. */
export const rows: Readonly<Record<string, readonly Panel[]>> = {
  'At a glance': [
    {
      title: 'Orders ranked per second',
      unit: 'reqps',
      queries: [
        ['sum(rate(orders_processed_total{stage="leaderboard", outcome="passed"}[$__rate_interval]))', 'ranked'],
      ],
    },
    {
      title: 'Critical time: SQS sent to ranked',
      unit: 's',
      queries: quantiles('orders_critical_time_seconds'),
      exemplars: true,
    },
    {
      title: 'Orders waiting',
      unit: 'short',
      queries: [
        ['max by (stage) (orders_waiting)', '{{stage}}'],
        ['max(orders_sqs_visible_messages)', 'SQS'],
      ],
    },
    {
      title: 'Books: differences',
      unit: 'short',
      queries: [['max(orders_integrity_differences)', 'differences']],
      about: 'Any value other than 0 needs action: npm run verify lists the differences.',
    },
    {
      title: 'Readings that fail',
      unit: 'short',
      queries: [['max by (reading) (orders_reading_failing) == 1', '{{reading}}']],
      about: 'Readings of the pipeline that fail in the API: orders doctor says why.',
    },
    {
      title: 'Incidents not acknowledged',
      unit: 'short',
      queries: [
        ['max by (kind) (orders_incidents)', '{{kind}}'],
        ['max(orders_redis_evicting)', 'Redis may delete orders'],
      ],
      about: 'Any value other than 0 needs action: orders verify says what happened.',
    },
    {
      title: 'Orders deleted unread',
      unit: 'short',
      queries: [['max by (stage) (orders_unaccounted)', '{{stage}}']],
      about: 'Orders that are missing and not written off: npm run verify says more.',
    },
    {
      title: 'Paused, and backpressure',
      unit: 'short',
      queries: [
        ['max by (component) (orders_paused)', '{{component}} paused'],
        ['max(orders_backpressure)', 'backpressure'],
      ],
    },
    {
      title: 'Orders by the books',
      unit: 'short',
      queries: [['max by (counter) (orders_booked_total)', '{{counter}}']],
    },
  ],
  'SQS and bridge': [
    {
      title: 'Messages per second',
      unit: 'reqps',
      queries: [
        ...['received', 'redelivered', 'deleted', 'renewed'].map((what): [string, string] => [
          `sum(rate(orders_sqs_${what}_messages_total[$__rate_interval]))`,
          what,
        ]),
        ['sum by (envelope) (rate(orders_unwrapped_total[$__rate_interval]))', 'in {{envelope}}'],
      ],
    },
    {
      title: 'Messages in SQS',
      unit: 'short',
      queries: [
        ['max(orders_sqs_visible_messages)', 'visible'],
        ['max(orders_sqs_in_flight_messages)', 'in flight'],
        ['max(orders_sqs_dead_letters)', 'dead letters'],
        ['max(orders_sqs_reading_failing)', 'cannot be read'],
      ],
    },
    { title: 'Oldest message moved', unit: 's', queries: [['max(orders_sqs_oldest_age_seconds)', 'age']] },
    {
      title: 'Clocks that differ from that of a bridge',
      unit: 's',
      queries: [['max by (instance, of) (abs(orders_clock_offset_seconds))', '{{of}} and {{instance}}']],
    },
    { title: 'Write of a receive to Redis', unit: 's', queries: quantiles('orders_enqueue_duration_seconds') },
    {
      title: 'Components of the bridge that fail',
      unit: 'short',
      queries: [['max by (component) (orders_bridge_failing)', '{{component}}']],
    },
  ],
  Stages: [
    {
      title: 'Orders per second by stage and outcome',
      unit: 'reqps',
      queries: [[per('orders_processed_total', 'stage', 'outcome'), '{{stage}} {{outcome}}']],
    },
    {
      title: 'Time waited before each hop',
      unit: 's',
      queries: quantiles('orders_hop_wait_seconds', 'hop'),
      exemplars: true,
    },
    { title: 'Commit duration', unit: 's', queries: quantiles('orders_commit_duration_seconds', 'stage') },
    {
      title: 'Clocks: orders that came before they were sent, per second',
      unit: 'reqps',
      queries: [[per('orders_clock_skewed_total', 'hop'), '{{hop}}']],
      about:
        'Any value other than 0: the clocks of SQS and Redis differ, and waits are wrong. orders doctor says which.',
    },
    {
      title: 'Batch size',
      unit: 'short',
      queries: [
        [mean('orders_commit_orders'), '{{stage}} orders a commit'],
        [mean('orders_commit_entries'), '{{stage}} entries a commit'],
      ],
    },
    {
      title: 'Pending entries and processes',
      unit: 'short',
      queries: [
        ['max by (stage) (orders_pending_entries)', '{{stage}} pending'],
        ['max by (component) (orders_processes)', '{{component}} processes'],
      ],
    },
    {
      title: 'Oldest pending entry',
      unit: 's',
      queries: [
        ['max by (stage) (orders_oldest_pending_age_seconds)', '{{stage}}'],
        ['max by (stage) (orders_oldest_waiting_age_seconds)', '{{stage}} waiting'],
      ],
    },
    {
      title: 'Claims and stale commits per second',
      unit: 'short',
      queries: [
        [per('orders_claimed_entries_total', 'stage'), '{{stage}} claimed'],
        [per('orders_stale_commits_total', 'stage'), '{{stage}} stale'],
      ],
    },
    {
      title: 'Deleted entries and failures of our code',
      unit: 'short',
      queries: [
        [per('orders_lost_entries_total', 'stage'), '{{stage}} vanished'],
        [per('orders_decide_failures_total', 'stage'), '{{stage}} failed'],
      ],
    },
  ],
  'Failed orders and jobs': [
    {
      title: 'Rejected per second by code',
      unit: 'reqps',
      queries: [['max by (code) (rate(orders_rejected_total[$__rate_interval]))', '{{code}}']],
    },
    {
      title: 'Corrections per second',
      unit: 'reqps',
      queries: [['max by (kind) (rate(orders_corrected_total[$__rate_interval]))', '{{kind}}']],
    },
    {
      title: 'Retries of invalid orders',
      unit: 'short',
      queries: [
        [per('orders_retried_total', 'code'), '{{code}} retried'],
        [per('orders_retries_ended_total', 'code'), '{{code}} given up'],
      ],
      about: 'An order that is given up stays in the invalid channel until it is replayed by hand or discarded.',
    },
    { title: 'Orders in the invalid channel', unit: 'short', queries: [['max(orders_invalid)', 'orders']] },
    {
      title: 'Jobs by state',
      unit: 'short',
      queries: [['max by (queue, state) (orders_jobs)', '{{queue}} {{state}}']],
      about: 'Jobs that failed wait until an operator retries or removes them, in Bull Board.',
    },
    {
      title: 'Jobs per second',
      unit: 'short',
      queries: [
        [per('orders_jobs_done_total', 'queue'), '{{queue}} done'],
        [per('orders_job_failures_total', 'queue'), '{{queue}} failed'],
      ],
    },
  ],
  Archive: [
    {
      title: 'Archive: cannot be written',
      unit: 'short',
      queries: [['max(orders_archive_failing)', 'failing']],
      about: 'Orders wait for it meanwhile: orders archive says why.',
    },
    {
      title: 'Archive: segments an hour',
      unit: 'short',
      queries: [['max(increase(orders_archive_segments_total[1h]))', 'segments']],
    },
    {
      title: 'Archive: bytes written per second',
      unit: 'Bps',
      queries: [['max(rate(orders_archive_bytes_total[$__rate_interval]))', 'bytes']],
    },
    {
      title: 'Archive: age of its last line',
      unit: 's',
      queries: [['max(orders_archive_last_line_age_seconds)', 'age']],
    },
  ],
  'API, Redis and processes': [
    {
      title: 'Requests per second',
      unit: 'reqps',
      queries: [[per('orders_http_requests_total', 'method', 'route', 'status'), '{{method}} {{route}} {{status}}']],
    },
    {
      title: 'Request duration, p99',
      unit: 's',
      queries: quantiles('orders_http_request_duration_seconds', 'route').slice(1),
    },
    {
      title: 'Requests that the guard refused, per second',
      unit: 'reqps',
      queries: [[per('orders_http_denied_total', 'status'), '{{status}}']],
    },
    {
      title: 'Redis memory',
      unit: 'bytes',
      queries: [
        ['max(orders_redis_memory_used_bytes)', 'used'],
        ['max(orders_redis_memory_max_bytes)', 'maxmemory'],
      ],
    },
    { title: 'Ledger entries', unit: 'short', queries: [['max(orders_ledger_entries)', 'entries']] },
    {
      title: 'Redis answers, and accepts writes',
      unit: 'short',
      queries: [
        ['orders_redis_up', '{{instance}} answers'],
        ['orders_redis_writable', '{{instance}} takes writes'],
      ],
    },
    {
      title: 'Processes by role and release',
      unit: 'short',
      queries: [['sum by (role, version) (orders_build_info)', '{{role}} {{version}}']],
    },
    {
      title: 'Event-loop lag, p99',
      unit: 's',
      queries: [['nodejs_eventloop_lag_p99_seconds{job="orders"}', '{{instance}}']],
    },
    {
      title: 'CPU',
      unit: 'percentunit',
      queries: [['rate(process_cpu_seconds_total{job="orders"}[$__rate_interval])', '{{instance}}']],
    },
    {
      title: 'Memory of a process',
      unit: 'bytes',
      queries: [['process_resident_memory_bytes{job="orders"}', '{{instance}}']],
    },
    {
      title: 'Loops that fail',
      unit: 'short',
      queries: [['max by (instance, loop) (orders_loop_failing)', '{{instance}} {{loop}}']],
    },
    {
      title: 'Log lines dropped per second',
      unit: 'short',
      queries: [['rate(orders_log_lines_dropped_total[$__rate_interval])', '{{instance}}']],
    },
    {
      title: 'Spans dropped per second',
      unit: 'short',
      queries: [[per('orders_spans_dropped_total', 'reason'), '{{reason}}']],
    },
  ],
}
