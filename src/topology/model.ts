/**
 * The checked model of a mesh: what the topology file says once every default is filled in. Plain
 * data, secrets unresolved. Made only by `parse.ts`, so whoever holds a Topology may trust it.
 */
import type { FlowId, SiteName } from '../base/ids.ts';

/**
 * Text that may contain `${env:NAME}` or `${file:PATH}`; resolved by `secrets.ts`, never stored.
 */
export type SecretText = string;

export interface TlsSettings {
  readonly ca?: SecretText;
  readonly cert?: SecretText;
  readonly key?: SecretText;
  readonly serverName?: string;
}

export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

export interface SaslSettings {
  readonly mechanism: SaslMechanism;
  readonly username: SecretText;
  readonly password: SecretText;
}

export interface KafkaSettings {
  /** `host:port` of the bootstrap brokers, as the site's own agents reach them. */
  readonly brokersLocal: readonly string[];
  /** The same as the other sites' agents reach them; equal to brokersLocal unless told. */
  readonly brokersRemote: readonly string[];
  readonly tls: TlsSettings | undefined;
  readonly sasl: SaslSettings | undefined;
  /** For topics that agents create at this site; undefined: min(3, brokers). */
  readonly replicationFactor: number | undefined;
}

export interface AgentAddress {
  readonly grpc: string; // host:port
  readonly http: string; // host:port
}

export interface Site {
  readonly name: SiteName;
  readonly kafka: KafkaSettings;
  readonly agents: readonly AgentAddress[];
}

/** Regular expressions that must match the whole name; exclude wins. */
export interface NameFilter {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export type DeclaredGroupMode = 'single' | 'local' | 'everywhere' | 'off';

export interface GroupDeclaration {
  readonly mode: DeclaredGroupMode;
  readonly home: SiteName | undefined; // required for `single`
}

export interface GroupSettings extends NameFilter {
  readonly modes: Readonly<Record<string, GroupDeclaration>>;
}

export type Lane = 'stamp' | 'pass';

/** Which topics of a flow are carried in which lane; see `lane.ts`. */
export interface LaneChoice {
  /** For topics that neither list names. */
  readonly default: Lane;
  readonly stamp: NameFilter;
  readonly pass: NameFilter;
}

export type CompressionChoice = 'source' | 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
export type ResetPolicy = 'pause' | 'continue';

export interface FlowSettings {
  readonly id: FlowId;
  readonly from: SiteName;
  readonly to: SiteName;
  readonly topics: NameFilter;
  readonly groups: NameFilter;
  readonly start: 'earliest' | 'latest';
  readonly lane: LaneChoice;
  /** Sites whose topics, copied to `from`, this flow carries on to `to`. */
  readonly forward: readonly SiteName[];
  readonly compression: CompressionChoice;
  readonly limit: { readonly bytesPerSecond: number | undefined };
  readonly onSourceReset: ResetPolicy;
  readonly onTargetReset: ResetPolicy;
  readonly sync: {
    /** Which settings of remote topics follow the source; false: none, after they were made. */
    readonly configs: NameFilter | false;
    readonly acls: boolean;
  };
}

/** Topics that Java clients which know MirrorMaker 2 read; written by agents. */
export interface Mm2Settings {
  /** `<site>.checkpoints.internal`: translated positions of that site's groups. */
  readonly checkpoints: boolean;
  /** `heartbeats` at each site, carried on by every flow: who is upstream of whom. */
  readonly heartbeats: boolean;
}

export interface Topology {
  readonly mesh: string;
  readonly version: number;
  readonly sites: ReadonlyMap<SiteName, Site>;
  readonly flows: readonly FlowSettings[];
  readonly groups: GroupSettings; // the defaults' groups
  /** So long a group's home has to be quiet, or silent, before it moves by itself. */
  readonly homeIdleMs: number;
  readonly retiredSites: readonly SiteName[];
  readonly mm2: Mm2Settings;
  /** SHA-256, hexadecimal, of the canonical JSON of the parsed file, secrets unresolved. */
  readonly hash: string;
  /** The file as it was read, to be handed to peers and stored. */
  readonly source: string;
}
