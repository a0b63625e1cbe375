/**
 * Where replicators are measured: two real sites, east to read from and west to write to, with
 * topics loaded once at east and west emptied between runs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox, type SiteRequest } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { testDeps } from '../support/deps.ts';
import { say } from '../support/say.ts';
import { javaWithKafka, runClient } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { loadBatches } from './batch-load.ts';

export const versions = { east: '3.9.2', west: '4.3.0' } as const;
const loadMsMax = 600_000;

export interface Load {
  readonly topic: string;
  readonly records: number;
  readonly bytesPerRecord: number;
  readonly codec: string;
  readonly partitions: number;
  /** Of the Java producer, in bytes. */
  readonly batchBytes: number;
  /** Exactly, instead, when that is what is looked at. */
  readonly recordsPerBatch?: number;
}

export class Stage implements AsyncDisposable {
  readonly dir: string;
  readonly sandbox: Sandbox;
  readonly east: KafkaCluster;
  readonly west: KafkaCluster;

  private constructor(dir: string, sandbox: Sandbox, east: KafkaCluster, west: KafkaCluster) {
    this.dir = dir;
    this.sandbox = sandbox;
    this.east = east;
    this.west = west;
  }

  /** @param wanPort where a proxy stands in front of east, when there is one */
  static async open(options: { readonly wanPort?: number } = {}): Promise<Stage> {
    const dir = mkdtempSync(path.join(tmpdir(), 'causeway-bench-'));
    const { wanPort } = options;
    const wan = wanPort === undefined ? {} : { wanPorts: [wanPort] };
    const sites: SiteRequest[] = [
      { name: 'east', kafkaVersion: versions.east, ...wan },
      { name: 'west', kafkaVersion: versions.west },
    ];
    const deps = testDeps();
    const sandbox = await openSandbox(
      { dir, sites, isTied: true, heapMb: 1024, onProgress: say },
      deps,
    );
    const open = (name: string): Promise<KafkaCluster> =>
      openCluster({ name, brokers: sandbox.site(name).brokers, clientId: 'bench' }, deps);
    return new Stage(dir, sandbox, await open('east'), await open('west'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.east[Symbol.asyncDispose]();
    await this.west[Symbol.asyncDispose]();
    await this.sandbox.down();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Makes the topic at east and fills it. */
  async load(load: Load): Promise<void> {
    const { topic, records, partitions, recordsPerBatch } = load;
    await this.makeTopic(topic, partitions);
    say(`loading ${topic}: ${records} records of ${load.bytesPerRecord} B, ${load.codec}`);
    if (recordsPerBatch !== undefined) {
      await loadBatches(this.east, { ...load, recordsPerBatch });
    }
    const said = recordsPerBatch === undefined ? await this.#generate(load) : '';
    const end = await this.end('east', topic);
    if (end !== records) throw new Error(`${topic}: ${end} of ${records} loaded: ${said}`);
  }

  /** By Kafka's own load generator. Returns what it said last. */
  async #generate({ topic, records, bytesPerRecord, codec, batchBytes }: Load): Promise<string> {
    const [java, ...args] = await javaWithKafka(versions.east);
    const properties = [
      `bootstrap.servers=${this.sandbox.site('east').brokers.join(',')}`,
      `compression.type=${codec}`,
      `batch.size=${batchBytes}`,
      'linger.ms=5',
      // Thousands of tiny batches wait for each other longer than the usual two minutes.
      'delivery.timeout.ms=600000',
      // Of tiny batches fewer bytes, or their objects fill the heap.
      `buffer.memory=${Math.min(2 ** 26, Math.max(2 ** 20, batchBytes * 10_000))}`,
    ];
    const producer = 'org.apache.kafka.tools.ProducerPerformance';
    const sizes = ['--num-records', String(records), '--record-size', String(bytesPerRecord)];
    const rest = ['--throughput', '-1', '--producer-props', ...properties];
    const command = [...args, producer, '--topic', topic, ...sizes, ...rest];
    const { code, lines } = await runClient(java, command, loadMsMax);
    const said = lines.slice(-5).join('; ');
    if (code !== 0) throw new Error(`${topic} is not loaded: ${said}`);
    return said;
  }

  async makeTopic(
    topic: string,
    partitions: number,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.east.createTopics([{ name: topic, partitions, replicationFactor: 1, configs }]);
    await until(`leaders of ${topic}`, async () => {
      const found = (await this.east.metadata()).topics.get(topic)?.partitions ?? [];
      return found.length === partitions && found.every(({ leader }) => leader >= 0);
    });
  }

  /** Sum of the end offsets of all partitions; 0 while there is no such topic. */
  async end(site: 'east' | 'west', topic: string): Promise<number> {
    const cluster = this[site];
    const found = (await cluster.metadata()).topics.get(topic)?.partitions ?? [];
    const listed = await cluster.listOffsets(
      found.map(({ partition }) => ({ topic, partition })),
      'latest',
    );
    return listed.reduce((sum, { errorCode, offset }) => {
      return sum + (errorCode === 0 ? Number(offset) : 0);
    }, 0);
  }

  /** Removes what a replicator left: every topic at west, at east all but those to keep. */
  async clean(kept: readonly string[]): Promise<void> {
    for (const site of ['east', 'west'] as const) {
      const isLeft = (name: string): boolean =>
        !['__consumer_offsets', '__transaction_state'].includes(name) &&
        !(site === 'east' && kept.includes(name));
      const left = async (): Promise<string[]> =>
        [...(await this[site].metadata()).topics.keys()].filter(isLeft);
      const names = await left();
      if (names.length === 0) continue;
      await this[site].deleteTopics(names);
      await until(`topics at ${site} to go`, async () => (await left()).length === 0, 60_000);
    }
    // Brokers delete the files behind a topic a moment after the topic.
    await sleep(2_000);
  }
}
