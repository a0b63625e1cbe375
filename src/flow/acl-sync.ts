/**
 * Keeps the ACLs of copies as those of their sources, by interval: reading and describing, never
 * writing. Of the agents of a site the one that holds slot 0 does it.
 *
 * Invariant: what is taken away was added by us, and is no longer at the source. Both are known,
 * not supposed: the ledger is stored before anything is added, and a source that does not answer
 * takes nothing away.
 */
import { isMeshError } from '../base/errors.ts';
import type { TopicAcl } from '../kafka/cluster.ts';
import { aclKey, aclText, concerns, mirror, writersOf } from './acl-rules.ts';
import type { FlowContext } from './flow-context.ts';
import type { FlowNotice } from './status.ts';
import type { CarriedTopic } from './topic-upkeep.ts';

/** Which ACLs at the target are ours, by flow. */
export interface AclLedger {
  get(flow: string): readonly TopicAcl[];
  /** Resolves when stored. */
  put(flow: string, acls: readonly TopicAcl[]): Promise<void>;
}

const slotOfAcls = 0;

export class AclSync {
  readonly #context: FlowContext;
  #notices: readonly FlowNotice[] = [];
  #lookedAtMs = -Infinity;
  #lookedFor: ReadonlySet<string> = new Set();
  #isDisabledTold = false;

  constructor(context: FlowContext) {
    this.#context = context;
  }

  get notices(): readonly FlowNotice[] {
    return this.#notices;
  }

  async round(carried: readonly CarriedTopic[]): Promise<void> {
    const { deps, settings, slots, timings } = this.#context;
    if (!settings.sync.acls || !slots.held.has(slotOfAcls)) {
      this.#notices = [];
      return;
    }
    const nowMs = deps.clock.monotonicMs();
    const hasNew = carried.some(({ remoteTopic }) => !this.#lookedFor.has(remoteTopic));
    if (nowMs - this.#lookedAtMs < timings.syncMs && !hasNew) return;
    const notices = await this.#look(carried);
    for (const notice of notices) this.#tell(notice);
    this.#notices = notices;
    this.#lookedAtMs = nowMs;
    this.#lookedFor = new Set(carried.map(({ remoteTopic }) => remoteTopic));
  }

  async #look(carried: readonly CarriedTopic[]): Promise<FlowNotice[]> {
    const { source, target, settings } = this.#context;
    try {
      const [there, here] = await Promise.all([
        source.cluster.topicAcls(),
        target.cluster.topicAcls(),
      ]);
      if (there === undefined || here === undefined) {
        this.#tellDisabled(there === undefined ? settings.from : settings.to);
      } else await this.#follow(there, here, carried);
      return writersOf(here ?? [], settings.from, target.cluster.principal).map((acl) => {
        const topic = acl.pattern === 'literal' ? acl.name : `${acl.name}*`;
        return { kind: 'writer_allowed', topic, text: aclText(acl) };
      });
    } catch (error) {
      if (!isMeshError(error) || error.retriable) throw error;
      return [{ kind: 'acls_refused', topic: `${settings.from}.*`, text: error.message }];
    }
  }

  async #follow(
    there: readonly TopicAcl[],
    here: readonly TopicAcl[],
    carried: readonly CarriedTopic[],
  ): Promise<void> {
    const { settings, target, acls: ledger, deps } = this.#context;
    const remote = new Set(carried.map(({ remoteTopic }) => remoteTopic));
    const mirrored = mirror(there, settings.from);
    const mirroredKeys = new Set(mirrored.map(aclKey));
    const hereKeys = new Set(here.map(aclKey));
    const ours = ledger.get(settings.id);
    const added = mirrored.filter((acl) => !hereKeys.has(aclKey(acl)) && concerns(acl, remote));
    const dropped = ours.filter((acl) => !mirroredKeys.has(aclKey(acl)));
    if (added.length === 0 && dropped.length === 0) return;
    const addedKeys = new Set(added.map(aclKey));
    const kept = ours.filter((acl) => !addedKeys.has(aclKey(acl)));
    await ledger.put(settings.id, [...kept, ...added]);
    await target.cluster.createTopicAcls(added);
    await target.cluster.deleteTopicAcls(dropped);
    const isKept = (acl: TopicAcl): boolean => mirroredKeys.has(aclKey(acl));
    await ledger.put(settings.id, [...kept.filter(isKept), ...added]);
    const facts = { added: added.map(aclText), dropped: dropped.map(aclText) };
    deps.log.info({ flow: settings.id, ...facts }, 'ACLs follow the source');
  }

  #tellDisabled(site: string): void {
    if (this.#isDisabledTold) return;
    this.#isDisabledTold = true;
    const text = 'no authorizer: ACLs are not followed';
    this.#context.deps.log.info({ flow: this.#context.settings.id, site }, text);
  }

  /** Kept as an event when it is new; shown by `status` for as long as it holds. */
  #tell(notice: FlowNotice): void {
    const { kind, topic, text } = notice;
    const isKnown = this.#notices.some((one) => one.kind === kind && one.text === text);
    if (isKnown) return;
    this.#context.onEvent({ kind, flow: this.#context.settings.id, topic, partition: -1, text });
  }
}
