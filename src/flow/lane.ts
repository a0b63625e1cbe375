/** How one partition is carried during one tenure: with stamps, or with a journal. */
import type { MeshError } from '../base/errors.ts';
import type { Hold } from '../base/shared-memory.ts';
import { Passer } from '../records/passer.ts';
import type { AbortedTransaction, StampedBatch, StampResult } from '../records/stamped-batch.ts';
import { Stamper } from '../records/stamper.ts';
import type { Lane } from '../topology/model.ts';
import { topicChain } from '../topology/names.ts';
import type { FlowContext } from './flow-context.ts';
import { PassLane } from './pass-lane.ts';
import type { SendWindow } from './send-window.ts';
import type { CopyTarget } from './status.ts';
import type { Tenure } from './take-over.ts';

export interface CopyLane {
  readonly lane: Lane;
  /** What an operator should know of it; empty when there is nothing. */
  readonly why: string;
  /** What was fetched as batches to be pushed, piece by piece; see Stamper and Passer. */
  readonly pieces: (
    records: Buffer,
    position: number,
    aborted: readonly AbortedTransaction[],
    pieceBytes: number,
    hold: Hold | undefined,
  ) => Generator<StampResult, void>;
  /** To the window, and no further before it may be sent. */
  push(batch: StampedBatch): void;
  /** The batch has landed, and its runs are in the map. */
  acknowledged(batch: StampedBatch): void;
}

export interface LaneParts {
  readonly tenure: Tenure;
  readonly window: SendWindow;
  readonly onReleased: () => void;
  readonly onTrouble: (trouble: MeshError) => void;
}

export function openLane(id: CopyTarget, context: FlowContext, parts: LaneParts): CopyLane {
  const { lane, why } = context.lanes.of(id.topic);
  const made = lane === 'pass' ? passLane(id, context, parts) : stampLane(id, context, parts);
  return { lane, why, ...made };
}

type Made = Pick<CopyLane, 'pieces' | 'push' | 'acknowledged'>;

function passLane(id: CopyTarget, context: FlowContext, parts: LaneParts): Made {
  const { settings, pool, limits, passes } = context;
  const { topic, partition, remoteTopic } = id;
  const { tenure } = parts;
  const batchBytesMax = limits.messageBytesMax(remoteTopic);
  const passer = new Passer({ topic, partition, batchBytesMax, pool });
  const lane = new PassLane({
    ...parts,
    journal: passes,
    copy: { flow: settings.id, topic, partition },
    generation: tenure.generation,
    producer: tenure.producer,
  });
  return {
    pieces: (...of) => passer.pieces(...of),
    push: (batch) => lane.push(batch),
    acknowledged: (batch) => lane.acknowledged(batch),
  };
}

function stampLane(id: CopyTarget, context: FlowContext, parts: LaneParts): Made {
  const { settings, topology, pool, passes } = context;
  const { topic, partition } = id;
  const { tenure, window } = parts;
  const aliases = topicChain(topic, topology).chain.length;
  const stamper = new Stamper({
    site: settings.from,
    topic,
    partition,
    generation: tenure.generation,
    batchBytesMax: tenure.batchBytesMax,
    codec: settings.compression,
    pool,
    ...(aliases > 0 ? { loop: { aliases, targetSite: settings.to } } : {}),
  });
  const copy = { flow: settings.id, topic, partition };
  const former = passes.tenures(copy);
  let isFirst = true;
  return {
    pieces: (records, position, aborted, pieceBytes) =>
      stamper.pieces(records, position, aborted, pieceBytes),
    push: (batch) => window.push(batch),
    acknowledged: () => {
      // The newest copies in the log are stamped from here on.
      if (isFirst) passes.retireAll(copy, former);
      isFirst = false;
    },
  };
}
