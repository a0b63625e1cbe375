/** What is asked of groups, and what agents tell one another about them. */
import type { SiteName } from '../base/ids.ts';
import type { GroupHome, GroupPosition } from './answer.ts';

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
}

/** One change of what is known about groups; a position without offset is a deleted commit. */
export type GroupUpdate =
  | { readonly kind: 'position'; readonly position: GroupPosition }
  | { readonly kind: 'home'; readonly group: string; readonly home: GroupHome }
  | { readonly kind: 'synced' };
