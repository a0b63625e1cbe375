/**
 * Leaders as last seen, for requests about single partitions: a takeover of a thousand partitions
 * would else read the metadata of their topic several thousand times.
 *
 * Kept only as long as a change of leaders needs to become known to all brokers anyway: whoever
 * asks a leader that was one at that moment learns nothing that is older than it would be else.
 */
import type { Clock } from '../base/clock.ts';
import type { ClusterMetadata } from './cluster.ts';

const keptMs = 500;

/** Broker id by partition; below 0 while there is none. */
type Leaders = readonly number[];

interface Seen {
  /** Undefined where the topic is not there. */
  readonly leaders: Promise<Leaders | undefined>;
  readonly untilMs: number;
}

export class LeaderBook {
  readonly #read: (topics: readonly string[]) => Promise<ClusterMetadata>;
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();

  /** @param read fresh metadata of those topics */
  constructor(read: (topics: readonly string[]) => Promise<ClusterMetadata>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** @throws MeshError what reading metadata throws */
  async of(topics: Iterable<string>): Promise<ReadonlyMap<string, Leaders>> {
    const wanted = new Set(topics);
    const nowMs = this.#clock.monotonicMs();
    for (const [topic, { untilMs }] of this.#seen) if (untilMs <= nowMs) this.#seen.delete(topic);
    this.#look([...wanted].filter((topic) => !this.#seen.has(topic)));
    const found = new Map<string, Leaders>();
    for (const topic of wanted) {
      const leaders = await this.#seen.get(topic)?.leaders;
      if (leaders !== undefined) found.set(topic, leaders);
    }
    return found;
  }

  /** It has proved stale: the next who asks gets fresh ones. */
  forget(topics: Iterable<string>): void {
    for (const topic of topics) this.#seen.delete(topic);
  }

  #look(topics: readonly string[]): void {
    if (topics.length === 0) return;
    const reading = this.#read(topics);
    const untilMs = this.#clock.monotonicMs() + keptMs;
    for (const topic of topics) {
      const leaders = reading.then((metadata) => {
        return metadata.topics.get(topic)?.partitions.map(({ leader }) => leader);
      });
      // A failure is nobody's when all who asked have gone; nor is it kept for those who come.
      leaders.catch(() => this.#seen.get(topic)?.leaders === leaders && this.#seen.delete(topic));
      this.#seen.set(topic, { leaders, untilMs });
    }
  }
}
