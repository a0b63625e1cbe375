/** Status and topology: domain values to messages and back. */
import type {
  FlowNotice,
  FlowState,
  FlowStatus,
  HeldBy,
  PartitionState,
  PartitionStatus,
} from '../flow/status.ts';
import type { FlowId } from '../base/ids.ts';
import type { PositionsSource } from '../groups/positions-source.ts';
import type * as wire from '../gen/causeway/v1/flow.ts';
import type * as topology from '../gen/causeway/v1/topology.ts';
import type { MeshStatus, PeerView, TopologyView } from './agent-shapes.ts';
import { fromOverride, number, toOverride } from './convert-controls.ts';
import { oneOf, present, site } from './convert-values.ts';

const flowStates: readonly FlowState[] = [
  'starting',
  'current',
  'lagging',
  'blocked',
  'unreachable',
  'failed',
];
const holders: readonly HeldBy[] = [
  'source',
  'wan',
  'target',
  'limit',
  'paused',
  'unreachable',
  'blocked',
];
const partitionStates: readonly PartitionState[] = [
  'waiting',
  'fencing',
  'recovering',
  'copying',
  'paused',
  'stopped',
];
const noticeKinds: readonly FlowNotice['kind'][] = [
  'configs_refused',
  'retention_shorter',
  'more_partitions',
  'acls_refused',
  'writer_allowed',
];
const peerStates: readonly PeerView['state'][] = ['connected', 'connecting', 'silent', 'refused'];
const sourceModes: readonly PositionsSource['mode'][] = ['starting', 'log', 'polling'];

function whole(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(Math.round(value));
}

function toPartition(status: PartitionStatus): wire.PartitionStatus {
  return { ...status, sourceEndAsOfMs: whole(status.sourceEndAsOfMs) };
}

function fromPartition(status: wire.PartitionStatus): PartitionStatus {
  return {
    ...status,
    state: oneOf('partition state', status.state, partitionStates),
    position: status.position,
    sourceEnd: status.sourceEnd,
    lagRecords: status.lagRecords,
    lagSeconds: status.lagSeconds,
    sourceEndAsOfMs: number(status.sourceEndAsOfMs),
  };
}

function toFlow(status: FlowStatus): wire.FlowStatus {
  const notices = status.notices.map((notice) => ({ ...notice }));
  const limitBytesPerSecond = whole(status.limitBytesPerSecond);
  const partitions = status.partitions.map(toPartition);
  return { ...status, limitBytesPerSecond, partitions, notices };
}

function fromFlow(status: wire.FlowStatus): FlowStatus {
  return {
    ...status,
    // Made by flowId() at the agent that sent it.
    flow: status.flow as FlowId,
    state: oneOf('flow state', status.state, flowStates),
    lagSeconds: status.lagSeconds,
    limitBytesPerSecond: number(status.limitBytesPerSecond),
    heldBy: status.heldBy === undefined ? undefined : oneOf('holder', status.heldBy, holders),
    partitions: status.partitions.map(fromPartition),
    notices: status.notices.map((notice) => ({
      ...notice,
      kind: oneOf('kind of notice', notice.kind, noticeKinds),
    })),
  };
}

export function toStatus(status: MeshStatus): wire.StatusResponse {
  const { startedAtMs, ...identity } = status.identity;
  return {
    identity: { ...identity, startedAtMs: BigInt(Math.round(startedAtMs)) },
    topologyVersion: status.topologyVersion,
    topologyHash: status.topologyHash,
    conflict: status.conflict,
    flows: status.flows.map(toFlow),
    peers: status.peers.map((peer) => ({ ...peer, lastContactMs: whole(peer.lastContactMs) })),
    groups: { ...status.groups },
    overrides: status.overrides.map(toOverride),
    positions: status.positions.map((one) => ({ ...one, asOfMs: whole(one.asOfMs) })),
  };
}

export function fromStatus(message: wire.StatusResponse): MeshStatus {
  const identity = present(message.identity, 'identity');
  return {
    identity: {
      ...identity,
      site: site(identity.site),
      startedAtMs: Number(identity.startedAtMs),
    },
    topologyVersion: message.topologyVersion,
    topologyHash: message.topologyHash,
    conflict: message.conflict,
    flows: message.flows.map(fromFlow),
    peers: message.peers.map((peer) => ({
      ...peer,
      state: oneOf('peer state', peer.state, peerStates),
      lastContactMs: number(peer.lastContactMs),
      topologyVersion: peer.topologyVersion,
    })),
    groups: present(message.groups, 'groups'),
    overrides: message.overrides.map(fromOverride),
    positions: message.positions.map((one) => ({
      ...one,
      site: site(one.site),
      mode: oneOf('source of positions', one.mode, sourceModes),
      asOfMs: number(one.asOfMs),
    })),
  };
}

export function toTopology(view: TopologyView): topology.Topology {
  const { version, hash, source, conflict } = view;
  return {
    version,
    hash,
    source,
    conflict: conflict && { ...conflict, differences: [...conflict.differences] },
  };
}

export function fromTopology(message: topology.Topology | undefined): TopologyView {
  const { version, hash, source, conflict } = present(message, 'topology');
  return { version, hash, source, conflict };
}
