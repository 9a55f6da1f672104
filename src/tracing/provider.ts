import type { Config } from '../config/config.ts'
import type { Telemetry } from '../telemetry.ts'
import { version } from '../version.ts'
import { openOutbox } from './outbox.ts'

export interface Traced {
  readonly config: Config
  readonly telemetry: Telemetry
  /** Names the process in its spans. */
  readonly instance: string
}

/** Loads the SDK, and opens what makes spans and sends them. It is loaded only where a collector is configured. */
export async function openProvider({ config, telemetry, instance }: Traced, endpoint: string) {
  const [
    api,
    { BatchSpanProcessor, ParentBasedSampler, SamplingDecision, TraceIdRatioBasedSampler, TracerProvider },
    { OTLPTraceExporter },
    { defaultResource, detectResources, envDetector, resourceFromAttributes, serviceNameEnvDetector },
  ] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  const sender = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` })
  const { exporter, bounded, maxQueueSize } = openOutbox(telemetry, sender)
  const named = resourceFromAttributes({
    'service.name': 'order-pipeline',
    'service.instance.id': instance,
    'service.version': version,
  })
  const configured = detectResources({ detectors: [envDetector, serviceNameEnvDetector] })
  const share = new TraceIdRatioBasedSampler(config.otelTracesSamplerArg)
  const provider = new TracerProvider({
    resource: defaultResource().merge(named).merge(configured),
    sampler: new ParentBasedSampler({ root: share }),
    spanProcessors: [bounded(new BatchSpanProcessor({ exporter, maxQueueSize }))],
  })
  return {
    api,
    tracer: provider.getTracer('order-pipeline', version),
    /** Decides for a sender that leaves the decision to us. */
    isChosen: (traceId: string): boolean =>
      share.shouldSample(api.ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
    shutdown: () => provider.shutdown(),
  }
}

export type Provider = Awaited<ReturnType<typeof openProvider>>
