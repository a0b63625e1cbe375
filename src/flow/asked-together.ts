/**
 * Questions to the leaders of one cluster, gathered so that a broker that took over a thousand
 * partitions is asked a few times only: it is asked at once, and what comes up until it has
 * answered goes into its next request. One that does not answer holds up no others.
 */
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { TopicPartition } from '../kafka/cluster.ts';

interface Waiting<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A | undefined) => void;
  readonly reject: (error: MeshError) => void;
}

type LeaderOf = (topic: string, partition: number) => number | undefined;

export class AskedTogether<Q extends TopicPartition, A extends TopicPartition> {
  readonly #leaderOf: LeaderOf;
  readonly #askAll: (questions: readonly Q[]) => Promise<readonly A[]>;
  /** By leader; while there is a list, it is being asked. */
  readonly #waiting = new Map<number | undefined, Waiting<Q, A>[]>();

  /** @param askAll one request; of each partition there is one question */
  constructor(leaderOf: LeaderOf, askAll: (questions: readonly Q[]) => Promise<readonly A[]>) {
    this.#leaderOf = leaderOf;
    this.#askAll = askAll;
  }

  /**
   * Undefined when the answer leaves the partition out.
   * @throws MeshError what asking throws
   */
  ask(question: Q): Promise<A | undefined> {
    return new Promise((resolve, reject) => {
      const leader = this.#leaderOf(question.topic, question.partition);
      const waiting = this.#waiting.get(leader);
      if (waiting !== undefined) {
        waiting.push({ question, resolve, reject });
        return;
      }
      this.#waiting.set(leader, [{ question, resolve, reject }]);
      // Those of the same turn come along.
      queueMicrotask(() => void this.#run(leader));
    });
  }

  async #run(leader: number | undefined): Promise<void> {
    for (;;) {
      const waiting = this.#waiting.get(leader) ?? [];
      if (waiting.length === 0) break;
      const now = new Map<string, Waiting<Q, A>>();
      const later: Waiting<Q, A>[] = [];
      for (const one of waiting) {
        const name = nameOf(one.question);
        if (now.has(name)) later.push(one);
        else now.set(name, one);
      }
      this.#waiting.set(leader, later);
      await this.#askOnce(now);
    }
    this.#waiting.delete(leader);
  }

  async #askOnce(waiting: ReadonlyMap<string, Waiting<Q, A>>): Promise<void> {
    const all = [...waiting.values()];
    try {
      const answers = await this.#askAll(all.map(({ question }) => question));
      const byName = new Map(answers.map((answer) => [nameOf(answer), answer]));
      for (const [name, { resolve }] of waiting) resolve(byName.get(name));
    } catch (thrown) {
      const error = isMeshError(thrown) ? thrown : new MeshError('defect', errorMessage(thrown));
      for (const { reject } of all) reject(error);
    }
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
