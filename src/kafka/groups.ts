/**
 * Consumer groups from outside: who is there, what they committed, commits on behalf of empty
 * ones.
 */
import type { Control } from './control.ts';
import { refusal } from './convert-error.ts';
import type { CommitResult, GroupMembers, GroupOffset, GroupOverview } from './cluster.ts';
import {
  consumerGroupDescribeKey,
  describeConsumerGroupRequest,
  describeGroupRequest,
  listGroupsKey,
  listGroupsRequest,
  offsetCommitRequest,
  offsetFetchRequest,
  type Answered,
} from './requests/groups.ts';

const groupNotFound = 69;
const unsupportedVersion = 35;

export async function listGroups(control: Control): Promise<readonly GroupOverview[]> {
  const version = (await control.speaks(listGroupsKey, 5)) ? 5 : 4;
  const answers = await control.eachBroker(listGroupsRequest(version));
  return answers.flatMap(({ errorCode, found }) => {
    if (errorCode !== 0) throw refusal(control.name, 'listing groups', errorCode);
    return found;
  });
}

export async function groupOffsets(
  control: Control,
  group: string,
): Promise<readonly GroupOffset[]> {
  const answer = await toGroup(control, group, offsetFetchRequest(group));
  if (answer.errorCode === groupNotFound) return [];
  if (answer.errorCode === 0) return answer.found;
  throw refusal(control.name, `offsets of group ${group}`, answer.errorCode);
}

/** Both protocols are asked: to the classic one a live group of the other looks dead. */
export async function groupMembers(control: Control, group: string): Promise<GroupMembers> {
  if (await control.speaks(consumerGroupDescribeKey, 0)) {
    const modern = await toGroup(control, group, describeConsumerGroupRequest(group));
    if (modern.errorCode === 0) return modern.found;
    const isClassic = modern.errorCode === groupNotFound || modern.errorCode === unsupportedVersion;
    if (!isClassic) throw refusal(control.name, `members of group ${group}`, modern.errorCode);
  }
  const classic = await toGroup(control, group, describeGroupRequest(group));
  if (classic.errorCode !== 0 && classic.errorCode !== groupNotFound) {
    throw refusal(control.name, `members of group ${group}`, classic.errorCode);
  }
  return classic.found;
}

/** @throws MeshError for a coordinator that stays away; refusals of partitions are values */
export async function commitGroupOffsets(
  control: Control,
  group: string,
  offsets: Parameters<typeof offsetCommitRequest>[1],
): Promise<readonly CommitResult[]> {
  if (offsets.length === 0) return [];
  const request = offsetCommitRequest(group, offsets);
  return control.toCoordinator('group', group, request, (results) => results[0]?.errorCode ?? 0);
}

function toGroup<T>(
  control: Control,
  group: string,
  request: Parameters<typeof control.toCoordinator<Answered<T>>>[2],
): Promise<Answered<T>> {
  return control.toCoordinator('group', group, request, ({ errorCode }) => errorCode);
}
