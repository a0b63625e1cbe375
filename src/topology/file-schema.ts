/**
 * The shape of the topology file: one definition for parsing and for the JSON Schema. Only what
 * can be said of one place at a time is here; what spans several places is in `rules.ts`.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { siteNamePattern } from '../base/ids.ts';
import { byteSizePattern, parseByteSize } from './byte-size.ts';
import { durationPattern, parseDuration } from './duration.ts';

const siteName = z
  .string()
  .regex(siteNamePattern, 'a site name: a lower-case letter, then up to 31 of a-z, 0-9 and -');
const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, {
    error: 'an address, host:port',
    abort: true,
  })
  .refine((text) => isHost(text.slice(0, text.lastIndexOf(':'))), 'a host name or IP address')
  .refine((text) => isPort(text.slice(text.lastIndexOf(':') + 1)), 'a port from 1 to 65535');
const brokers = z.array(address).min(1, 'at least one broker');
const pattern = z.string().refine(isPattern, 'a regular expression');
/** A text in which every `${` begins a reference that is known. */
const text = z
  .string()
  .min(1)
  .refine(
    (value) => !value.replace(/\$\{(env|file):[^}]+\}/g, '').includes('${'),
    '${env:NAME} or ${file:PATH}',
  );

function isPort(digits: string): boolean {
  return Number(digits) >= 1 && Number(digits) <= 65_535;
}

function isHost(host: string): boolean {
  if (host.startsWith('[')) return isIPv6(host.slice(1, -1));
  // Digits and dots alone are meant for an IP address.
  if (/^[\d.]+$/.test(host)) return isIPv4(host);
  const labels = host.replace(/\.$/, '').split('.');
  return host.length <= 253 && labels.every((label) => /^(?!-)[\w-]{1,63}(?<!-)$/.test(label));
}

function isPattern(value: string): boolean {
  try {
    new RegExp(value);
    return true;
  } catch {
    return false;
  }
}

const tls = z.strictObject({
  ca: text.optional(),
  cert: text.optional(),
  key: text.optional(),
  serverName: text.optional(),
});
const sasl = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
  username: text,
  password: text,
});
const kafka = z.strictObject({
  brokers: z.union(
    [brokers, z.strictObject({ local: brokers, remote: brokers })],
    'a list of host:port, or {local: [host:port], remote: [host:port]}',
  ),
  tls: tls.optional(),
  sasl: sasl.optional(),
  replicationFactor: z.int().min(1).max(32).optional(),
});
const agent = z.strictObject({ grpc: address, http: address });
const site = z.strictObject({
  kafka,
  agents: z.array(agent).min(1, 'at least one agent'),
});

const names = z.strictObject({
  include: z
    .array(pattern)
    .min(1, 'a pattern at the least; exclude: [".*"] is for none')
    .default(['.*']),
  exclude: z.array(pattern).default([]),
});
const groupMode = z.strictObject({
  mode: z.enum(['single', 'local', 'everywhere', 'off']),
  home: siteName.optional(),
});
/** A home belongs to a group, not to a flow: mode and moves are said in `defaults` alone. */
const defaultGroups = names.extend({
  modes: z.record(z.string(), groupMode).default({}),
  homeIdle: z
    .string()
    .regex(durationPattern, 'a time such as 30s or 2m')
    .refine((text) => (parseDuration(text) ?? 0) >= 1_000, 'a second at the least')
    .optional(),
});

const sizeWanted = 'a size such as 20MiB, in B, KB, MB, GB, KiB, MiB or GiB';
/** Bytes: a number, or a text such as `20MiB`. */
const bytes = z.union(
  [
    z.int().min(1),
    z
      .string()
      .regex(byteSizePattern, sizeWanted)
      .refine((size) => (parseByteSize(size) ?? 0) >= 1, 'a size above nothing'),
  ],
  `a number of bytes, or ${sizeWanted}`,
);

const lane = z.enum(['stamp', 'pass']);
/** One lane for all topics of the flow, or a list of patterns for each. */
const laneChoice = z.union(
  [
    lane,
    z.strictObject({
      default: lane.default('stamp'),
      stamp: z.array(pattern).default([]),
      pass: z.array(pattern).default([]),
    }),
  ],
  'stamp, pass, or {default, stamp: [patterns], pass: [patterns]}',
);

const flowSettings = {
  topics: names.optional(),
  groups: names.optional(),
  start: z.enum(['earliest', 'latest']).optional(),
  lane: laneChoice.optional(),
  forward: z.array(siteName).optional(),
  compression: z.enum(['source', 'none', 'gzip', 'snappy', 'lz4', 'zstd']).optional(),
  limit: z.strictObject({ bytesPerSecond: bytes.optional() }).optional(),
  sync: z
    .strictObject({
      configs: z.union([z.boolean(), names], 'true, false or {include, exclude}').optional(),
      acls: z.boolean().optional(),
    })
    .optional(),
  onSourceReset: z.enum(['pause', 'continue']).optional(),
  onTargetReset: z.enum(['pause', 'continue']).optional(),
};

export const fileSchema = z.strictObject({
  apiVersion: z.literal('causeway/v1'),
  mesh: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a mesh name: a-z, 0-9 and -, up to 32'),
  version: z.int().min(1),
  sites: z.record(siteName, site),
  defaults: z.strictObject({ ...flowSettings, groups: defaultGroups.optional() }).default({}),
  flows: z.array(z.strictObject({ from: siteName, to: siteName, ...flowSettings })).optional(),
  retiredSites: z.array(siteName).default([]),
  mm2: z
    .strictObject({ checkpoints: z.boolean().default(true), heartbeats: z.boolean().default(true) })
    .default({ checkpoints: true, heartbeats: true }),
});

export type TopologyFile = z.infer<typeof fileSchema>;
export type FlowPart = z.infer<z.ZodObject<typeof flowSettings>>;
