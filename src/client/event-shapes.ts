/** What an agent tells of what has happened, as plain data. */

export interface MeshEvent {
  readonly atMs: number;
  readonly kind: string;
  /** The flow, or from where to where a group moved. */
  readonly flow: string;
  /** undefined: the flow as a whole, or a group. */
  readonly topic: string | undefined;
  /** undefined: the topic as a whole. */
  readonly partition: number | undefined;
  readonly group: string | undefined;
  readonly text: string;
  readonly range: { readonly site: string; readonly from: bigint; readonly to: bigint } | undefined;
}

export interface EventsRequest {
  /** Wall clock; undefined: as far back as is known. */
  readonly sinceMs: number | undefined;
  /** None: of all. */
  readonly kinds: readonly string[];
  /** The last so many; 0: all that there are. */
  readonly limit: number;
}
