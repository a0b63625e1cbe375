/** How agents of one site share the partitions of a flow: see ARCHITECTURE.md, "Slots". */
export const slotCount = 64;

export interface SlotShare extends AsyncDisposable {
  /** Slots that this agent holds now, as of the last assignment. */
  readonly held: ReadonlySet<number>;
  /**
   * Whether the group answered within a session: nobody else can hold our slots by now. False right
   * after a process was frozen for longer, before it has learned anything.
   */
  readonly isSure: boolean;
  /** Told after each assignment; the function returned stops it. */
  onChange(listener: (held: ReadonlySet<number>) => void): () => void;
  /**
   * Asks the group once more: true when a heartbeat or join that began after the call says that the
   * slot is still ours. Used before a partition is fenced again, never instead of the fence.
   */
  confirm(slot: number): Promise<boolean>;
}
