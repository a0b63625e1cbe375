/** Names that must not be mixed up: branded strings, made only by the functions here. */
declare const brand: unique symbol;

export type SiteName = string & { readonly [brand]: 'SiteName' };
/** `east->west` */
export type FlowId = string & { readonly [brand]: 'FlowId' };

export const siteNamePattern = /^[a-z][a-z0-9-]{0,31}$/;

export function isSiteName(text: string): text is SiteName {
  return siteNamePattern.test(text);
}

/** For text already checked against the pattern, by the topology or a peer's handshake. */
export function siteName(text: string): SiteName {
  if (!isSiteName(text)) throw new TypeError(`not a site name: ${JSON.stringify(text)}`);
  return text;
}

export function flowId(from: SiteName, to: SiteName): FlowId {
  // The one place where a flow's id is put together; the brand says so.
  return `${from}->${to}` as FlowId;
}

export function parseFlowId(text: string): { from: SiteName; to: SiteName } | undefined {
  const [from, to, ...rest] = text.split('->');
  if (from === undefined || to === undefined || rest.length > 0) return undefined;
  return isSiteName(from) && isSiteName(to) ? { from, to } : undefined;
}
