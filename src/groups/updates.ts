/** What is asked of groups, and what agents tell one another about them. */
import type { SiteName } from '../base/ids.ts';
import type { FailoverPlan, FailoverReport, GroupHome, GroupPosition } from './answer.ts';

export interface TranslateRequest {
  readonly group: string;
  readonly from: SiteName;
  readonly to: SiteName;
  /** Explicit positions instead of the group's: name at `from`, next record to read. */
  readonly positions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
  }[];
}

export interface FailoverRequest {
  readonly group: string;
  readonly from: SiteName;
  readonly to: SiteName;
  /** The id that it is to go on under; undefined: its own. */
  readonly as?: string | undefined;
  /** Commits that somebody else made for that id at the target may be replaced. */
  readonly overwrite: boolean;
}

export interface SwitchoverRequest extends FailoverRequest {
  /** Whoever asks has stopped the producers: so wait until all that they wrote is here too. */
  readonly producersStopped: boolean;
  /** False: only say what would be done and waited for. */
  readonly execute: boolean;
  /** Given up after so long, with nothing changed. */
  readonly timeoutMs: number;
  readonly requestedBy: string;
}

export type SwitchoverStep =
  | {
      readonly kind: 'waiting';
      readonly plan: FailoverPlan;
      /** A sentence each; empty: it could be done at this moment. */
      readonly waitingFor: readonly string[];
    }
  | { readonly kind: 'executed'; readonly report: FailoverReport };

/** One change of what is known about groups; a position without offset is a deleted commit. */
export type GroupUpdate =
  | { readonly kind: 'position'; readonly position: GroupPosition }
  /** All positions of the site were known at that time; those that changed have been told. */
  | { readonly kind: 'as_of'; readonly site: SiteName; readonly asOfMs: number }
  | { readonly kind: 'home'; readonly group: string; readonly home: GroupHome }
  | { readonly kind: 'synced' };

/** Of updates with one key only the latest needs to be told. */
export function updateKey(update: GroupUpdate): string {
  switch (update.kind) {
    case 'position': {
      const { group, topic, partition } = update.position;
      return `position/${topic}/${partition}/${group}`;
    }
    case 'home':
      return `home/${update.group}`;
    case 'as_of':
      return 'as_of';
    case 'synced':
      return 'synced';
  }
}
