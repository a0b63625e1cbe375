/**
 * Which ACLs copies are to have: whoever may read or describe a topic may do so with its copies,
 * and nobody is ever allowed to write by us. Pure.
 */
import type { TopicAcl } from '../kafka/cluster.ts';

/** Which operations at the copy one at the source stands for. */
const mirrored: Partial<Record<TopicAcl['operation'], readonly TopicAcl['operation'][]>> = {
  all: ['read', 'describe'],
  read: ['read'],
  describe: ['describe'],
};
const writing: ReadonlySet<string> = new Set(['all', 'write']);

/** What the source's ACLs become at the target, whether their topics are carried or not. */
export function mirror(source: readonly TopicAcl[], alias: string): TopicAcl[] {
  const found = new Map<string, TopicAcl>();
  for (const acl of source) {
    const isEvery = acl.pattern === 'literal' && acl.name === '*';
    const place = isEvery
      ? { pattern: 'prefixed' as const, name: `${alias}.` }
      : { name: `${alias}.${acl.name}` };
    for (const operation of mirrored[acl.operation] ?? []) {
      const copy = { ...acl, ...place, operation };
      found.set(aclKey(copy), copy);
    }
  }
  return [...found.values()];
}

export function aclKey(acl: TopicAcl): string {
  const { permission, principal, host, operation, pattern, name } = acl;
  return JSON.stringify([permission, principal, host, operation, pattern, name]);
}

/** True when it says something of one of these topics. */
export function concerns(acl: TopicAcl, topics: ReadonlySet<string>): boolean {
  if (acl.pattern === 'literal') return topics.has(acl.name);
  for (const topic of topics) if (topic.startsWith(acl.name)) return true;
  return false;
}

/** ACLs by which others than ourselves may write to copies from that site. */
export function writersOf(
  acls: readonly TopicAcl[],
  alias: string,
  own: string | undefined,
): TopicAcl[] {
  const copies = `${alias}.`;
  return acls.filter(({ permission, operation, principal, pattern, name }) => {
    if (permission !== 'allow' || !writing.has(operation) || principal === own) return false;
    if (name.startsWith(copies)) return true;
    return pattern === 'literal' ? name === '*' : copies.startsWith(name);
  });
}

export function aclText(acl: TopicAcl): string {
  const { permission, principal, host, operation, pattern, name } = acl;
  const who = host === '*' ? principal : `${principal} from ${host}`;
  const what = pattern === 'literal' ? name : `${name}*`;
  return `${who} ${permission === 'allow' ? 'may' : 'may not'} ${operation} ${what}`;
}
