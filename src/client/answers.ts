/**
 * The JSON that commands and HTTP answer with: a stable contract, made with schemas so that it
 * can be checked. Offsets are strings, times are ISO 8601; `schema` is raised when the shape
 * changes.
 */
import { z } from 'zod';

const offset = z.string().regex(/^\d+$/);
const place = z.object({ topic: z.string(), partition: z.int(), offset: offset.optional() });
const home = z.object({
  site: z.string(),
  epoch: z.int(),
  state: z.enum(['declared', 'found', 'moved', 'provisional', 'contested']),
  /** The group for which the id goes on; at home at its site: it did. */
  standsFor: z.object({ group: z.string(), site: z.string() }).optional(),
});
/** A group that is used at several sites. */
const contest = z.object({
  sites: z.array(z.string()),
  /** Records that were read at both, by their offsets where they were born: `[from, to)`. */
  overlap: z.array(
    z.object({
      site: z.string(),
      topic: z.string(),
      partition: z.int(),
      /** Left out: not known since where. */
      from: offset.optional(),
      to: offset,
    }),
  ),
});

const position = z.object({
  source: place,
  target: place,
  certainty: z.enum(['exact', 'lower_bound', 'unknown']),
  reason: z.string(),
  notHereAtLeast: offset.optional(),
  reread: offset.optional(),
  skipped: offset.optional(),
  generation: z.int(),
});

const groupMode = z.enum(['single', 'local', 'everywhere', 'off', 'contested']);

export const translateSchema = z.object({
  schema: z.literal(1),
  mesh: z.string(),
  group: z.string(),
  from: z.string(),
  to: z.string(),
  mode: groupMode,
  /** How the mode is known. */
  modeBy: z.enum(['declared', 'found']),
  home: home.optional(),
  contest: contest.optional(),
  verdict: z.enum(['exact', 'lower_bound', 'unknown']),
  safeToStart: z.boolean(),
  blockers: z.array(z.string()),
  sourceReachable: z.boolean(),
  positionsAsOf: z.string().optional(),
  sourceEndAsOf: z.string().optional(),
  positions: z.array(position),
});

export const planSchema = z.object({
  schema: z.literal(1),
  planId: z.string(),
  /** The id that it is to go on under, when it is not its own. */
  as: z.string().optional(),
  translation: translateSchema,
  evidence: z.array(z.string()),
  lossRecordsAtLeast: offset,
  lossUnknownPartitions: z.int(),
  lossSeconds: z.number().optional(),
  growthRecordsPerSecond: z.number().optional(),
  refusals: z.array(z.string()),
});

/** `switchover` without --execute. */
export const switchoverPlanSchema = planSchema.extend({
  /** What it would wait for, a sentence each. */
  waitingFor: z.array(z.string()),
});

export const reportSchema = z.object({
  schema: z.literal(1),
  plan: planSchema,
  committed: z.array(position),
  home,
  executedAt: z.string(),
});

const partition = z.object({
  topic: z.string(),
  remoteTopic: z.string(),
  partition: z.int(),
  state: z.string(),
  position: offset.optional(),
  sourceEnd: offset.optional(),
  lagRecords: offset.optional(),
  lagSeconds: z.number().optional(),
  sourceEndAsOf: z.string().optional(),
  why: z.string(),
  heldByAgent: z.string(),
});

const flow = z.object({
  flow: z.string(),
  agent: z.string(),
  state: z.string(),
  lagRecords: offset,
  lagSeconds: z.number().optional(),
  trendRecordsPerSecond: z.number(),
  recordsPerSecond: z.number(),
  bytesPerSecond: z.number(),
  limitBytesPerSecond: z.number().optional(),
  heldBy: z.string().optional(),
  why: z.string(),
  slotsHeld: z.int(),
  slotsTotal: z.int(),
  partitions: z.array(partition),
  notices: z.array(z.object({ kind: z.string(), topic: z.string(), text: z.string() })),
});

const override = z.object({
  kind: z.enum(['pause', 'limit']),
  flow: z.string(),
  topic: z.string().optional(),
  partition: z.int().optional(),
  /** Of a limit; left out: none. */
  bytesPerSecond: z.number().optional(),
  by: z.string(),
  why: z.string(),
  at: z.string(),
  until: z.string().optional(),
});

export const agentStatusSchema = z.object({
  identity: z.object({
    mesh: z.string(),
    site: z.string(),
    agent: z.string(),
    softwareVersion: z.string(),
    startedAt: z.string(),
  }),
  topologyVersion: z.int(),
  topologyHash: z.string(),
  conflict: z.string().optional(),
  flows: z.array(flow),
  peers: z.array(
    z.object({
      agent: z.string(),
      grpc: z.string(),
      state: z.string(),
      lastContact: z.string().optional(),
      topologyVersion: z.int().optional(),
      why: z.string(),
    }),
  ),
  groups: z.object({ ready: z.int(), contested: z.int(), bounded: z.int(), unknown: z.int() }),
  overrides: z.array(override),
  positions: z.array(
    z.object({
      site: z.string(),
      mode: z.string(),
      why: z.string(),
      asOf: z.string().optional(),
      groups: z.int(),
      unreadableCommits: z.int(),
      groupsAsked: z.int(),
    }),
  ),
});

/** `status`: every agent that answered, and the addresses of those that did not. */
export const statusSchema = z.object({
  schema: z.literal(1),
  agents: z.array(agentStatusSchema),
  silent: z.array(z.object({ grpc: z.string(), why: z.string() })),
});

const readiness = z.object({
  /** The site that was asked: where the group would go on. */
  site: z.string(),
  group: z.string(),
  mode: groupMode,
  /** How the mode is known. */
  modeBy: z.enum(['declared', 'found']),
  home: home.optional(),
  contest: contest.optional(),
  /** Where it has positions. */
  sites: z.array(z.string()),
  from: z.string().optional(),
  state: z.enum(['home', 'ready', 'bounded', 'unknown', 'own', 'contested']),
  why: z.string(),
  partitions: z.int(),
  exactPartitions: z.int(),
  notHereAtLeast: offset,
  reread: offset,
  positionsAsOf: z.string().optional(),
});

/** `groups`: a row per group and site. */
export const groupsSchema = z.object({
  schema: z.literal(1),
  groups: z.array(readiness),
  silent: z.array(z.object({ site: z.string(), why: z.string() })),
});

/** `failover --all-groups`: what became of each, or would. */
export const failoverAllSchema = z.object({
  schema: z.literal(1),
  from: z.string(),
  to: z.string(),
  groups: z.array(
    z.object({
      group: z.string(),
      /** The id that it is to go on under, when it is not its own. */
      as: z.string().optional(),
      outcome: z.enum(['planned', 'moved', 'unknown', 'refused', 'left']),
      why: z.string(),
      plan: planSchema.optional(),
      report: reportSchema.optional(),
    }),
  ),
});

const event = z.object({
  at: z.string(),
  kind: z.string(),
  flow: z.string(),
  topic: z.string().optional(),
  partition: z.int().optional(),
  group: z.string().optional(),
  text: z.string(),
  range: z.object({ site: z.string(), from: offset, to: offset }).optional(),
});

/** `events`: of each site that was asked, the oldest first. */
export const eventsSchema = z.object({
  schema: z.literal(1),
  events: z.array(event.extend({ site: z.string().optional() })),
  silent: z.array(z.object({ site: z.string(), why: z.string() })),
});

const late = z.object({
  flow: z.string(),
  /** Name at the source. */
  topic: z.string(),
  partition: z.int(),
  generation: z.int(),
  state: z.enum(['waiting', 'crossing', 'arrived', 'gone']),
  /** [from, to) at the source; without `to` its site has not been seen since. */
  from: offset,
  to: offset.optional(),
  /** Known when the first of the groups failed over. */
  atLeast: offset,
  /** [from, to) at the target, once all have arrived, and how many they are. */
  target: z.object({ topic: z.string(), from: offset, to: offset }).optional(),
  records: z.int().optional(),
  groups: z.array(z.object({ group: z.string(), as: z.string().optional() })),
  moreGroups: z.int(),
  failedOverAt: z.string(),
  seenAt: z.string().optional(),
  endedAt: z.string().optional(),
});

/** `events --late`: what groups failed over past, and what has become of it. */
export const lateSchema = z.object({
  schema: z.literal(1),
  late: z.array(late),
  silent: z.array(z.object({ site: z.string(), why: z.string() })),
});

export const lagSchema = z.object({
  schema: z.literal(1),
  flows: z.array(flow),
  /** Agents that did not answer: what they carry is left out. */
  silent: z.array(z.object({ grpc: z.string(), why: z.string() })),
});

export type ContestJson = z.infer<typeof contest>;
export type HomeJson = z.infer<typeof home>;
export type TranslateJson = z.infer<typeof translateSchema>;
export type ReadinessJson = z.infer<typeof readiness>;
export type GroupsJson = z.infer<typeof groupsSchema>;
export type FailoverAllJson = z.infer<typeof failoverAllSchema>;
export type SwitchoverPlanJson = z.infer<typeof switchoverPlanSchema>;
export type PlanJson = z.infer<typeof planSchema>;
export type ReportJson = z.infer<typeof reportSchema>;
export type StatusJson = z.infer<typeof statusSchema>;
export type AgentStatusJson = z.infer<typeof agentStatusSchema>;
export type OverrideJson = z.infer<typeof override>;
export type EventsJson = z.infer<typeof eventsSchema>;
export type LateJson = z.infer<typeof lateSchema>;
export type LagJson = z.infer<typeof lagSchema>;
export type FlowJson = z.infer<typeof flow>;
