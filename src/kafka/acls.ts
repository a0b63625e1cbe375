/** Who may do what with topics. A cluster without an authorizer is an answer, not an error. */
import type { TopicAcl } from './cluster.ts';
import type { Control } from './control.ts';
import { refusal } from './convert-error.ts';
import { createAclsRequest, deleteAclsRequest, describeTopicAclsRequest } from './requests/acls.ts';

const securityDisabled = 54;
const aclsPerRequest = 200;

/** undefined: the cluster has no authorizer */
export async function topicAcls(control: Control): Promise<readonly TopicAcl[] | undefined> {
  const { errorCode, errorMessage, acls } = await control.toAny(describeTopicAclsRequest());
  if (errorCode === securityDisabled) return undefined;
  if (errorCode === 0) return acls;
  throw refusal(control.name, 'ACLs of topics', errorCode, errorMessage);
}

export async function createTopicAcls(control: Control, acls: readonly TopicAcl[]): Promise<void> {
  await eachPart(control, 'making ACLs', acls, createAclsRequest);
}

export async function deleteTopicAcls(control: Control, acls: readonly TopicAcl[]): Promise<void> {
  await eachPart(control, 'deleting ACLs', acls, deleteAclsRequest);
}

async function eachPart(
  control: Control,
  what: string,
  acls: readonly TopicAcl[],
  request: typeof createAclsRequest,
): Promise<void> {
  for (let at = 0; at < acls.length; at += aclsPerRequest) {
    const results = await control.toAny(request(acls.slice(at, at + aclsPerRequest)));
    const failed = results.find(({ errorCode }) => errorCode !== 0);
    if (failed === undefined) continue;
    throw refusal(control.name, what, failed.errorCode, failed.errorMessage);
  }
}
