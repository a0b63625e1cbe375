/** What a consumer says of itself when it is asked. */
import type { StartReport } from './start-report.ts';

export interface ConsumerStatus {
  readonly group: string;
  /** `running` from when it has joined at a site until it leaves that. */
  readonly state: 'idle' | 'waiting' | 'starting' | 'running' | 'stopped';
  readonly site: string | undefined;
  /** As agents tell it; undefined: not known. */
  readonly home: { readonly site: string; readonly epoch: number } | undefined;
  /** Of the last start. */
  readonly start: StartReport | undefined;
}
