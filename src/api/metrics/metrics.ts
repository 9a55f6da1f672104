import type { RequestHandler } from 'express'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { proveWrite } from '../../ingest/barrier.ts'
import type { Events, Telemetry } from '../../telemetry.ts'
import { refusalOfWrites } from '../../write-refusals.ts'
import { remember, within } from '../cached.ts'
import type { ApiApp } from '../http/handler.ts'
import { lineMetrics } from './flow.ts'
import { firstSeries } from './initial-series.ts'
import { openInstrument } from './instrument.ts'
import type { EventMetric, Metric, ReadMetric } from './metric.ts'
import { openPipelineReader, pipelineMetrics } from './pipeline.ts'
import { logMetrics, processMetrics } from './process.ts'
import { openQueueReader, queueMetrics } from './queue.ts'

/** Whether this process reaches Redis; what it cannot read meanwhile is absent. */
const redisUp: ReadMetric<boolean> = {
  name: 'orders_redis_up',
  type: 'gauge',
  help: '1 if Redis answers this process within two seconds.',
  by: 'all',
  read: (up) => [[up ? 1 : 0]],
}

const eventMetrics: readonly EventMetric[] = [...lineMetrics, ...processMetrics]
/** As `/readyz` asks; whatever the refusal, the alert on it names the way to the reason. */
const redisWritable: ReadMetric<boolean> = {
  name: 'orders_redis_takes_writes',
  type: 'gauge',
  help: 'Whether Redis takes a write from this process: 0 while it is a replica, full, or lacks disk or replicas; absent while it does not answer.',
  by: 'all',
  read: (writable) => [[writable ? 1 : 0]],
}

const readMetrics: readonly Metric[] = [redisUp, redisWritable, ...logMetrics, ...queueMetrics, ...pipelineMetrics]

/** Every metric of ours; beside them stand those that prom-client has of any Node process. */
export const metrics = [...eventMetrics, ...readMetrics]

/** A scrape waits no longer for Redis or SQS: what they do not tell by then is absent from it. */
const patienceMs = 2_000
/** However many scrape, Redis is read so often at most. */
const readEveryMs = 1_000

/** How often the lag of the event loop is measured. Every 10 ms, as prom-client would, takes 0.9 % of a core, this 0.1 %. */
const lagEveryMs = 50

/** @param whole whether the state of the whole pipeline is served too: by the API, and by no other process */
export function openMetrics(app: ApiApp, { whole }: { whole: boolean }): RequestHandler {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: lagEveryMs })
  follow(app.telemetry, registry)
  const readings = [
    reading(
      registry,
      [redisUp],
      remember(readEveryMs, () => answers(app)),
      false,
    ),
    reading(
      registry,
      [redisWritable],
      remember(readEveryMs, () => takesWrites(app)),
    ),
    reading(registry, logMetrics, async () => app.telemetry.droppedLines()),
    reading(registry, queueMetrics, openQueueReader(app)),
    ...(whole ? [reading(registry, pipelineMetrics, remember(readEveryMs, openPipelineReader(app, app.ask)))] : []),
  ]
  return async (_request, response) => {
    await Promise.all(readings.map((read) => read()))
    response.type(registry.contentType).send(await registry.metrics())
  }
}

/** Not by PING: a Redis that cannot save refuses that. @throws what Redis says when it does not answer */
async function answers({ probe, partitions: [keys] }: ApiApp): Promise<boolean> {
  if (keys) await probe.exists(keys.nothing)
  return true
}

/** @throws what Redis says when it does not answer */
async function takesWrites({ probe, partitions, instance }: ApiApp): Promise<boolean> {
  try {
    await Promise.all(partitions.map((keys) => proveWrite(probe, keys, instance)))
    return true
  } catch (error) {
    if (refusalOfWrites(error) === undefined) throw error
    return false
  }
}

/** One listener per event and metric: one that fails leaves the others right. */
function follow(telemetry: Telemetry, registry: Registry): void {
  const opened = eventMetrics.map((metric) => ({ metric, on: metric.on, ...openInstrument(registry, metric) }))
  const listen = <E extends keyof Events>(event: E, { on, series }: (typeof opened)[number]): void =>
    telemetry.on(event, (fields) => on[event]?.(fields, series))
  for (const metric of opened) for (const event of Object.keys(metric.on)) listen(event as keyof Events, metric)
  telemetry.on('started', ({ roles }) => {
    for (const { metric, series } of opened) {
      for (const labels of firstSeries(metric, roles)) series(...labels)(0, 0)
    }
  })
}

/** @param otherwise what stands for a reading that there is none of; without it the metrics are absent then */
function reading<T>(
  registry: Registry,
  metrics: readonly ReadMetric<T>[],
  read: () => Promise<T | undefined>,
  otherwise?: T,
): () => Promise<void> {
  const opened = metrics.map((metric) => ({ metric, ...openInstrument(registry, metric) }))
  return async () => {
    const found = (await within(patienceMs, read())) ?? otherwise
    for (const { metric, series, clear } of opened) {
      clear()
      for (const [value, ...labels] of found === undefined ? [] : metric.read(found)) {
        if (typeof value === 'number') series(...labels)(value)
      }
    }
  }
}

/** The table of the documentation: one row per metric. */
export function metricsTable(): string[][] {
  const row = ({ name, type, labels = {}, by, help }: Metric, from: string): string[] => {
    return [`\`${name}\``, type, labelsOf(labels), servedBy[by], from, help]
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

function labelsOf(labels: NonNullable<Metric['labels']>): string {
  const told = Object.entries(labels).map(([name, values]) => {
    return `\`${name}\`: ${typeof values === 'string' ? values : codes(values)}`
  })
  return told.join('; ')
}
