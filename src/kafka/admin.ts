/**
 * Topics and their settings. What Kafka refuses for one item is a value where callers expect it.
 */
import { MeshError } from '../base/errors.ts';
import type { Control } from './control.ts';
import { refusal } from './convert-error.ts';
import type { CreateResult, NewTopic, TopicConfigEntry } from './cluster.ts';
import {
  alterTopicConfigsRequest,
  createPartitionsRequest,
  createTopicsRequest,
  deleteTopicsRequest,
  describeConfigsRequest,
  resourceType,
} from './requests/admin.ts';

const unknownTopic = 3;
/** Names in one request: answers with all their settings stay small. */
const namesPerRequest = 200;

export function createTopics(
  control: Control,
  topics: readonly NewTopic[],
): Promise<readonly CreateResult[]> {
  return control.toAny(createTopicsRequest(topics));
}

export async function createPartitions(
  control: Control,
  topic: string,
  total: number,
): Promise<void> {
  const results = await control.toAny(createPartitionsRequest(topic, total));
  throwFirst(control, `partitions of ${topic}`, results);
}

export async function deleteTopics(control: Control, names: readonly string[]): Promise<void> {
  const results = await control.toAny(deleteTopicsRequest(names));
  const failed = results.filter(({ errorCode }) => errorCode !== unknownTopic);
  throwFirst(control, 'deleting topics', failed);
}

/** As below; throws what a topic's settings cannot be read for. */
export async function topicConfigs(
  control: Control,
  names: readonly string[],
  keys?: readonly string[],
): Promise<ReadonlyMap<string, readonly TopicConfigEntry[]>> {
  const found = new Map<string, readonly TopicConfigEntry[]>();
  for (const [name, entries] of await tryTopicConfigs(control, names, keys)) {
    if (entries instanceof MeshError) throw entries;
    found.set(name, entries);
  }
  return found;
}

/**
 * Settings of topics, or why they cannot be read. Topics that are gone by now are left out.
 * @param keys only these; all of them unless told
 */
export async function tryTopicConfigs(
  control: Control,
  names: readonly string[],
  keys?: readonly string[],
): Promise<ReadonlyMap<string, readonly TopicConfigEntry[] | MeshError>> {
  const found = new Map<string, readonly TopicConfigEntry[] | MeshError>();
  for (let at = 0; at < names.length; at += namesPerRequest) {
    const some = names.slice(at, at + namesPerRequest);
    const described = await control.toAny(describeConfigsRequest(resourceType.topic, some, keys));
    for (const { name, errorCode, errorMessage, entries } of described) {
      if (errorCode === unknownTopic) continue;
      const what = `settings of ${name}`;
      const answer = errorCode === 0 && entries;
      found.set(name, answer || refusal(control.name, what, errorCode, errorMessage));
    }
  }
  return found;
}

export async function brokerConfigs(
  control: Control,
  brokerId: number,
): Promise<readonly TopicConfigEntry[]> {
  const request = describeConfigsRequest(resourceType.broker, [String(brokerId)]);
  const described = await control.toBroker(brokerId, request);
  throwFirst(control, `settings of broker ${brokerId}`, described);
  return described[0]?.entries ?? [];
}

export async function alterTopicConfigs(
  control: Control,
  topic: string,
  changes: Readonly<Record<string, string | null>>,
): Promise<void> {
  const result = await control.toAny(alterTopicConfigsRequest(topic, changes));
  throwFirst(control, 'changing settings', [{ name: topic, ...result }]);
}

function throwFirst(control: Control, what: string, results: readonly CreateResult[]): void {
  const failed = results.find(({ errorCode }) => errorCode !== 0);
  if (failed === undefined) return;
  throw refusal(control.name, `${what} (${failed.name})`, failed.errorCode, failed.errorMessage);
}
