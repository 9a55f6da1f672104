import type { RequestHandler } from 'express'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Queues } from '../../control/job-queues.ts'
import type { Events } from '../../events/fields.ts'
import { proveWrite } from '../../ingest/proof/barrier.ts'
import { refusalOfWrites } from '../../redis/errors.ts'
import type { Pipeline } from '../../stages/placed.ts'
import { cached, patient } from '../cached.ts'
import type { HealthContext } from '../http/route.ts'
import { flowMetrics } from './flow.ts'
import { initialSeries } from './initial-series.ts'
import { openInstrument } from './instrument.ts'
import { type EventMetric, labelValues, type Metric, type ReadMetric } from './metric.ts'
import { openMetricsText, openMetricsType, prefersOpenMetrics } from './openmetrics.ts'
import { pipelineMetrics } from './pipeline.ts'
import { openPipelineReader } from './pipeline-reader.ts'
import { logMetrics, processMetrics } from './process.ts'
import { openQueueReader, queueMetrics } from './queue.ts'
import { redisUp, redisWritable } from './redis.ts'

const eventMetrics: readonly EventMetric[] = [...flowMetrics, ...processMetrics]
const readMetrics: readonly Metric[] = [redisUp, redisWritable, ...logMetrics, ...queueMetrics, ...pipelineMetrics]

/** Every metric of the pipeline. prom-client adds those of any Node process. */
export const metrics = [...eventMetrics, ...readMetrics]

/** The most that a scrape waits for Redis, once in an outage. Metrics that it has not delivered by then are absent. */
const patienceMs = 2_000
/** Redis is read at most this often, however many clients scrape. */
const readEveryMs = 1_000

/** How often the lag of the event loop is measured. Every 10 ms, as prom-client would, takes 0.9 % of a core, this 0.1 %. */
const lagEveryMs = 50

/** Gauges of prom-client whose names end like those of counters. Others say the same by type. */
const misnamed = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`)

/** @param queues those of the API: with them the state of the whole pipeline is served too */
export function openMetrics(app: HealthContext, queues?: Queues): RequestHandler {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: lagEveryMs })
  for (const name of misnamed) registry.removeSingleMetric(name)
  follow(app, registry)
  const served = { registry, pipeline: app.pipeline }
  const readings = [
    reading(
      served,
      [redisUp],
      cached(readEveryMs, () => answers(app)),
      false,
    ),
    reading(
      served,
      [redisWritable],
      cached(readEveryMs, () => takesWrites(app)),
    ),
    reading(served, logMetrics, async () => app.telemetry.droppedLines()),
    reading(served, queueMetrics, openQueueReader(app)),
    ...(queues ? [reading(served, pipelineMetrics, cached(readEveryMs, openPipelineReader(app, queues)))] : []),
  ]
  return async (request, response) => {
    await Promise.all(readings.map((read) => read()))
    response.vary('Accept')
    if (!prefersOpenMetrics(request.headers.accept))
      return response.type(registry.contentType).send(await registry.metrics())
    response.type(openMetricsType).send(await openMetricsText(registry, beganAt))
  }
}

/** Counted in Redis: older than any process. */
const booked = new Set(pipelineMetrics.map(({ name }) => name))

/** Returns when a counter of this process began with 0, in seconds. */
const beganAt = (name: string): number | undefined => (booked.has(name) ? undefined : performance.timeOrigin / 1_000)

/** Checks without PING, which a Redis that cannot save refuses. @throws the error of Redis when it does not answer */
async function answers({ probe, partitions: [keys] }: HealthContext): Promise<boolean> {
  if (keys) await probe.exists(keys.nothing)
  return true
}

/** @throws the error of Redis when it does not answer */
async function takesWrites({ probe, partitions, instance }: HealthContext): Promise<boolean> {
  try {
    await Promise.all(partitions.map((keys) => proveWrite(probe, keys, instance)))
    return true
  } catch (error) {
    if (refusalOfWrites(error) === undefined) throw error
    return false
  }
}

/** Adds one listener per event and metric, so that one that fails does not affect the others. */
function follow({ telemetry, pipeline }: HealthContext, registry: Registry): void {
  const opened = eventMetrics.map((metric) => ({ metric, on: metric.on, ...openInstrument(registry, metric) }))
  const listen = <E extends keyof Events>(event: E, { on, series }: (typeof opened)[number]): void =>
    telemetry.on(event, (fields) => on[event]?.(fields, series))
  for (const metric of opened) for (const event of Object.keys(metric.on)) listen(event as keyof Events, metric)
  telemetry.on('started', ({ roles }) => {
    for (const { metric, series } of opened) {
      for (const labels of initialSeries(pipeline, metric, roles)) series(...labels)(0, 0)
    }
  })
}

/** @param otherwise replaces a failed reading; without it the metrics are absent then */
function reading<T>(
  { registry, pipeline }: { registry: Registry; pipeline: Pipeline },
  metrics: readonly ReadMetric<T>[],
  read: () => Promise<T | undefined>,
  otherwise?: T,
): () => Promise<void> {
  const opened = metrics.map((metric) => ({ metric, ...openInstrument(registry, metric) }))
  const readInTime = patient(patienceMs, read)
  return async () => {
    const found = (await readInTime()) ?? otherwise
    for (const { metric, series, clear } of opened) {
      clear()
      for (const [value, ...labels] of found === undefined ? [] : metric.read(found, pipeline)) {
        if (typeof value === 'number') series(...labels)(value)
      }
    }
  }
}

/** Returns the table of the documentation: one row per metric. */
export function metricsTable(pipeline: Pipeline): string[][] {
  const row = ({ name, type, labels = {}, by, help }: Metric, from: string): string[] => {
    return [`\`${name}\``, type, labelsOf(labels, pipeline), servedBy[by], from, help]
  }
  return [
    ...eventMetrics.map((metric) => row(metric, codes(Object.keys(metric.on)))),
    ...readMetrics.map((metric) => row(metric, 'read at the scrape')),
  ]
}

const codes = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ')

const servedBy: Readonly<Record<Metric['by'], string>> = {
  all: 'every process',
  bridge: 'bridge',
  stages: 'stages',
  jobs: 'jobs',
  api: 'API',
}

function labelsOf(labels: NonNullable<Metric['labels']>, pipeline: Pipeline): string {
  const shown = Object.entries(labels).map(([name, of]) => {
    const values = labelValues(of, pipeline)
    return `\`${name}\`: ${typeof values === 'string' ? values : codes(values)}`
  })
  return shown.join('; ')
}
