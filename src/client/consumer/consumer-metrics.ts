/**
 * Metrics of a consumer by the OpenTelemetry API: nothing unless the application has set up a meter
 * provider. Read from plain counters when they are collected. A series that was told once is
 * repeated by the SDK for ever, so gauges by site are told of every site: 0 where it is not.
 */
import { metrics, type Attributes, type BatchObservableCallback } from '@opentelemetry/api';

export interface MetricFacts {
  readonly group: string;
  readonly sites: readonly string[];
  /** Where it runs. */
  readonly site: string | undefined;
  readonly home: { readonly site: string; readonly epoch: number } | undefined;
  /** Records handled, by site. */
  readonly records: ReadonlyMap<string, number>;
  /** Moves between sites, by `from->to`. */
  readonly moves: ReadonlyMap<string, number>;
  /** As of the last start; undefined: not known, or not started. */
  readonly rereadAtMost: bigint | undefined;
  readonly siteSilentMs: number;
}

/** Until the function returned is called. */
export function observe(facts: () => MetricFacts): () => void {
  const meter = metrics.getMeter('causeway-client');
  const records = meter.createObservableCounter('causeway_client_records', {
    description: 'records handled',
  });
  const moves = meter.createObservableCounter('causeway_client_moves', {
    description: 'moves of the group between sites that this consumer made',
  });
  const running = meter.createObservableGauge('causeway_client_running', {
    description: '1 at the site where it runs',
  });
  const epoch = meter.createObservableGauge('causeway_client_home_epoch', {
    description: 'raised with each move of the home',
  });
  const home = meter.createObservableGauge('causeway_client_home', {
    description: '1 at the site that is the home, as agents tell it',
  });
  const reread = meter.createObservableGauge('causeway_client_reread_records', {
    description: 'records that may be handled again after the last start, at most',
  });
  const silent = meter.createObservableGauge('causeway_client_site_silent', {
    description: 'for how long the brokers of the site have not answered; 0 while they do',
    unit: 's',
  });
  const all = [records, moves, running, home, epoch, reread, silent];
  const collect: BatchObservableCallback = (result) => {
    const now = facts();
    const labels = (more: Attributes = {}): Attributes => ({ group: now.group, ...more });
    for (const [site, count] of now.records) result.observe(records, count, labels({ site }));
    for (const [way, count] of now.moves) {
      const [from = '', to = ''] = way.split('->');
      result.observe(moves, count, labels({ from, to }));
    }
    for (const site of now.sites) {
      result.observe(running, site === now.site ? 1 : 0, labels({ site }));
      result.observe(home, site === now.home?.site ? 1 : 0, labels({ site }));
    }
    result.observe(silent, now.siteSilentMs / 1000, labels());
    result.observe(epoch, now.home?.epoch ?? 0, labels());
    // Not known is no number; the bound of an earlier start is not this one's.
    result.observe(
      reread,
      now.rereadAtMost === undefined ? NaN : Number(now.rereadAtMost),
      labels(),
    );
  };
  meter.addBatchObservableCallback(collect, all);
  return () => meter.removeBatchObservableCallback(collect, all);
}
