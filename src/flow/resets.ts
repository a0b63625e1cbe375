/**
 * When one of the two logs is not the one that copying knew: what happened, which offsets are lost
 * or in doubt, and how copying would go on. Told as an event before anything else is done; then the
 * flow's policy decides.
 *
 * Invariant: no range of records is passed over without an event that names it.
 */
import { MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import type { FlowContext, FlowEvent } from './flow-context.ts';
import type { CopyTarget } from './status.ts';

export interface LostRange {
  readonly site: SiteName;
  readonly from: number;
  readonly to: number;
  /** What is the matter with `[from, to) at site`, as the end of a sentence. */
  readonly what: string;
}

export interface Reset {
  readonly end: 'source' | 'target';
  readonly text: string;
  /** Empty ones are left out. */
  readonly ranges: readonly LostRange[];
  /** How copying goes on when the policy is `continue`, as the end of a sentence. */
  readonly then: string;
}

/** Of one partition. */
export class Resets {
  readonly #id: CopyTarget;
  readonly #context: FlowContext;
  /** A paused partition meets its reset again at every retry: told once. */
  readonly #told = new Set<string>();

  constructor(id: CopyTarget, context: FlowContext) {
    this.#id = id;
    this.#context = context;
  }

  /** Returns when copying is to go on. @throws MeshError source_reset, target_reset: it is not */
  meet(reset: Reset): void {
    const { onSourceReset, onTargetReset } = this.#context.settings;
    const isSource = reset.end === 'source';
    const policy = isSource ? onSourceReset : onTargetReset;
    this.tell(reset, policy === 'continue' ? reset.then : 'paused');
    if (policy === 'continue') return;
    const { topic, partition } = this.#id;
    const details = { flow: this.#context.settings.id, topic, partition };
    const way = `${isSource ? 'onSourceReset' : 'onTargetReset'}: continue`;
    throw new MeshError(kindOf(reset), `${sentence(reset)}; with ${way} it is ${reset.then}`, {
      details,
    });
  }

  /** Somebody else wrote to the remote partition. */
  tellForeign({ from, to }: { readonly from: number; readonly to: number }): void {
    const { settings, onEvent } = this.#context;
    const { topic, remoteTopic, partition } = this.#id;
    const text = `somebody else wrote to ${remoteTopic}/${partition}: offsets [${from}, ${to})`;
    if (this.#told.has(text)) return;
    this.#told.add(text);
    const range = { site: settings.to, from: BigInt(from), to: BigInt(to) };
    onEvent({ kind: 'foreign_writer', flow: settings.id, topic, partition, text, range });
  }

  /** The source's topic was deleted: told when not all of it had been copied. */
  tellDeleted(position: number, sourceEnd: number): void {
    if (position >= sourceEnd) return;
    const { from: site } = this.#context.settings;
    const range = { site, from: position, to: sourceEnd, what: 'were never copied' };
    const text = `${this.#id.topic}/${this.#id.partition} at ${site} was deleted`;
    this.tell({ end: 'source', text, ranges: [range], then: '' }, 'copying ends');
  }

  /** One event per range, so that each is stored with its numbers. */
  tell(reset: Reset, outcome: string): void {
    const name = `${sentence(reset)}: ${outcome}`;
    if (this.#told.has(name)) return;
    this.#told.add(name);
    const { settings, onEvent } = this.#context;
    const { topic, partition } = this.#id;
    const common = { kind: kindOf(reset), flow: settings.id, topic, partition };
    const ranges = reset.ranges.filter(({ from, to }) => from < to);
    const events = ranges.map((range): FlowEvent => ({
      ...common,
      text: `${reset.text}; ${rangeText(range)}: ${outcome}`,
      range: { site: range.site, from: BigInt(range.from), to: BigInt(range.to) },
    }));
    if (events.length === 0) events.push({ ...common, text: `${reset.text}: ${outcome}` });
    for (const event of events) onEvent(event);
  }
}

function kindOf({ end }: Reset): 'source_reset' | 'target_reset' {
  return end === 'source' ? 'source_reset' : 'target_reset';
}

function sentence({ text, ranges }: Reset): string {
  return [text, ...ranges.filter(({ from, to }) => from < to).map(rangeText)].join('; ');
}

function rangeText({ what, site, from, to }: LostRange): string {
  return `[${from}, ${to}) at ${site} ${what}`;
}
