/**
 * Metrics by OpenTelemetry: observable instruments read our own counters when they are scraped, so
 * nothing is done per record. The exporter starts no server: the agent's HTTP port serves the text.
 */
import type { Meter } from '@opentelemetry/api';
import type { MetricFamily, MetricRegistry } from '../base/metrics.ts';

export interface Telemetry extends AsyncDisposable {
  /** Prometheus' text format. */
  metricsText(): Promise<string>;
}

export interface TelemetryIdentity {
  readonly mesh: string;
  readonly site: string;
  readonly agent: string;
  readonly softwareVersion: string;
}

export async function openTelemetry(
  registry: MetricRegistry,
  identity: TelemetryIdentity,
): Promise<Telemetry> {
  // Loaded late: the packages take longer to load than everything else of the agent.
  const [
    { NodeSDK },
    { PrometheusExporter, PrometheusSerializer },
    { resourceFromAttributes },
    api,
  ] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-prometheus'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/api'),
  ]);
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const sdk = new NodeSDK({
    resource: resourceFromAttributes({
      'service.name': 'causeway',
      'service.version': identity.softwareVersion,
      'service.instance.id': identity.agent,
      'causeway.mesh': identity.mesh,
      'causeway.site': identity.site,
    }),
    metricReaders: [exporter],
    // Without these two the SDK would look for a collector on this machine.
    spanProcessors: [],
    logRecordProcessors: [],
    instrumentations: [],
    autoDetectResources: false,
  });
  sdk.start();
  const meter = api.metrics.getMeter('causeway', identity.softwareVersion);
  registry.onFamily((family) => observe(meter, registry, family));
  const serializer = new PrometheusSerializer();
  return {
    metricsText: async () => serializer.serialize((await exporter.collect()).resourceMetrics),
    [Symbol.asyncDispose]: () => sdk.shutdown(),
  };
}

function observe(meter: Meter, registry: MetricRegistry, family: MetricFamily): void {
  const { name, help: description, unit } = family;
  const options = { description, unit };
  const instrument =
    family.type === 'counter'
      ? meter.createObservableCounter(name, options)
      : meter.createObservableGauge(name, options);
  instrument.addCallback((result) => {
    for (const { labels, value } of registry.samples(name)) result.observe(value, { ...labels });
  });
}
