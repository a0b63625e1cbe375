/**
 * The shape of the topology file: one definition for parsing and for the JSON Schema. Only what
 * can be said of one place at a time is here; what spans several places is in `rules.ts`.
 */
import { z } from 'zod';
import { siteNamePattern } from '../base/ids.ts';
import { byteSizePattern, parseByteSize } from './byte-size.ts';
import { durationPattern, parseDuration } from './duration.ts';

const siteName = z
  .string()
  .regex(siteNamePattern, 'a site name: a lower-case letter, then up to 31 of a-z, 0-9 and -');
const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, {
    error: 'an address, host:port',
    abort: true,
  })
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'a port up to 65535');
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
  brokers: z.union([brokers, z.strictObject({ local: brokers, remote: brokers })]),
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
  include: z.array(pattern).default(['.*']),
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

/** Bytes: a number, or a text such as `20MiB`. */
const bytes = z.union([
  z.int().min(1),
  z
    .string()
    .regex(byteSizePattern, 'a size such as 20MiB')
    .refine((size) => (parseByteSize(size) ?? 0) >= 1, 'a size above nothing'),
]);

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
  changes: z.enum(['file', 'apply']).default('file'),
});

export type TopologyFile = z.infer<typeof fileSchema>;
export type FlowPart = z.infer<z.ZodObject<typeof flowSettings>>;
