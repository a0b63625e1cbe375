/**
 * Which of the commits that stand at this site are the group's own, and which are ours: by the
 * ledger, once all of it has been heard. And what becomes of a group's own commits when its home
 * moves away: they are ours from then on, so that the new home's positions may take their place.
 */
import { withDeadline } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { Reached } from '../base/reached.ts';
import type { GroupCluster } from './group-ports.ts';
import { isLeft } from './homes.ts';
import type { Ledger, WrittenOffset } from './ledger.ts';
import type { ResolvedMode } from './mode.ts';
import type { CommitOrigin } from './positions-source.ts';
import { formerId } from './stand-in.ts';

export interface OwnCommitsParts {
  readonly site: SiteName;
  readonly cluster: GroupCluster;
  /** The state topic in which the ledger is kept. */
  readonly logTopic: string;
  readonly ledger: Ledger;
  readonly modeOf: (group: string) => ResolvedMode;
}

const heardMsMax = 5_000;

export class OwnCommits {
  readonly #parts: OwnCommitsParts;
  readonly #deps: Deps;
  readonly #loaded = new Reached();
  /** Groups whose home has moved; looked at when all that was stored has been loaded. */
  readonly #moved = new Set<string>();

  constructor(parts: OwnCommitsParts, deps: Deps) {
    this.#parts = parts;
    this.#deps = deps;
  }

  /** The state topic has been loaded up to there. */
  loadedTo(end: number): void {
    this.#loaded.moveTo(end);
  }

  /** The home of a group is another one now: see `leaveHomes`. */
  noteMoved(group: string): void {
    this.#moved.add(group);
  }

  originOf(group: string, offset: WrittenOffset): CommitOrigin {
    const { site, ledger, modeOf } = this.#parts;
    const { mode, home } = modeOf(group);
    if (home?.site === site) return 'own';
    // Agents write nothing for those: there is nothing to wait for.
    const isNeverWritten = mode === 'everywhere' || mode === 'local';
    if (isNeverWritten && !ledger.hasWritten(group)) return 'own';
    return ledger.wrote(group, offset) ? 'ours' : 'foreign';
  }

  /**
   * Resolves when all that agents of this site had written by now is in the ledger.
   * @throws MeshError kafka_timeout, kafka_unavailable: it may not be
   */
  async ledgerHeard(): Promise<void> {
    const { cluster, logTopic } = this.#parts;
    const [listed] = await cluster.listOffsets([{ topic: logTopic, partition: 0 }], 'latest');
    if (listed?.errorCode !== 0) {
      const found = `Kafka error ${listed?.errorCode ?? 'none'}`;
      throw new MeshError('kafka_unavailable', `end of ${logTopic}: ${found}, wanted an offset`);
    }
    const end = Number(listed.offset);
    await withDeadline(this.#deps.clock, heardMsMax, this.#loaded.reach(end), () => {
      return new MeshError('kafka_timeout', `${logTopic} not read to offset ${end} in time`);
    });
  }

  /** So that what the group left here is not taken for somebody else's before the next round. */
  async leaveNow(group: string): Promise<void> {
    if (this.#moved.has(group)) await this.#leaveHome(group);
  }

  /** @param onLeft told of each group that has been seen to */
  async leaveHomes(onLeft: (group: string) => void): Promise<void> {
    for (const group of [...this.#moved]) {
      await this.#leaveHome(group);
      this.#moved.delete(group);
      onLeft(group);
    }
  }

  /**
   * The home moved away from here: what the group committed here belongs to an older epoch now, up
   * to the last commit before its members died. Not while it is open whether it has moved.
   */
  async #leaveHome(group: string): Promise<void> {
    const { site, cluster, ledger, modeOf } = this.#parts;
    const { home } = modeOf(group);
    if (home === undefined || !isLeft(home, site)) return;
    if (ledger.hasLeft(group, home.epoch)) return;
    const id = formerId(group, home, site);
    // Members that are back already commit in their own right.
    const isBack = id !== group && (await cluster.groupMembers(id)).memberCount > 0;
    const standing = isBack ? [] : await cluster.groupOffsets(id);
    const left = standing.filter(({ offset }) => offset >= 0n);
    if (left.length > 0) await ledger.noteWritten(id, left);
    ledger.confirmWritten(id, left);
    await ledger.noteLeft(group, home.epoch);
  }
}
