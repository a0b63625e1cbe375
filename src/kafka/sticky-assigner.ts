/**
 * Shares slots among members: evenly within one, and no slot moves that need not. Deterministic, so
 * that it does not matter which member computes it.
 */
export interface MemberSlots {
  readonly memberId: string;
  /** What it held until now; two members may both say so of one slot. */
  readonly held: readonly number[];
}

/** Slots by member id, ascending; every slot of [0, total) exactly once. */
export function assignSlots(
  members: readonly MemberSlots[],
  total: number,
): ReadonlyMap<string, readonly number[]> {
  const ordered = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const taken = new Set<number>();
  const kept = ordered.map(({ memberId, held }) => {
    const slots = held.filter((slot) => slot >= 0 && slot < total && !taken.has(slot));
    for (const slot of slots) taken.add(slot);
    return { memberId, slots };
  });
  // Those that hold most keep the larger shares, so that as little as possible moves.
  const byHolding = [...kept].sort((a, b) => b.slots.length - a.slots.length);
  const share = Math.floor(total / Math.max(1, members.length));
  const larger = total - share * members.length;
  const free = range(total).filter((slot) => !taken.has(slot));
  byHolding.forEach((member, index) => {
    free.push(...member.slots.splice(index < larger ? share + 1 : share));
  });
  free.sort((a, b) => a - b);
  byHolding.forEach((member, index) => {
    const wanted = (index < larger ? share + 1 : share) - member.slots.length;
    member.slots.push(...free.splice(0, wanted));
  });
  return new Map(kept.map(({ memberId, slots }) => [memberId, slots.sort((a, b) => a - b)]));
}

function range(total: number): number[] {
  return Array.from({ length: total }, (_, index) => index);
}
