/** `exact`: that very record. `lower_bound`: at or before it, never after. `unknown`: no offset. */
export type Certainty = 'exact' | 'lower_bound' | 'unknown';

const order: Readonly<Record<Certainty, number>> = { exact: 0, lower_bound: 1, unknown: 2 };

export function weakest(certainties: Iterable<Certainty>): Certainty {
  let found: Certainty = 'exact';
  for (const certainty of certainties) if (order[certainty] > order[found]) found = certainty;
  return found;
}
