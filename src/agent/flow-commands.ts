/**
 * What people may do to a running flow: pause it, or parts of it, go on, limit it. Each is stored
 * in the site's Kafka before it is answered, with who and why; all agents of the site follow it.
 */
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import type { FlowId } from '../base/ids.ts';
import type { FlowLimit, LimitAnswer } from '../client/agent-shapes.ts';
import type { FlowEvent } from '../flow/flow-context.ts';
import {
  isWithin,
  placeText,
  saidText,
  type FlowPlace,
  type LimitOverride,
  type PauseOverride,
  type Said,
} from '../flow/overrides.ts';
import type { ControlStore } from './control-store.ts';
import type { FlowRunner } from './flow-runner.ts';

const dayMs = 24 * 3_600_000;
/** Who means longer means without an end. */
const aheadMsMax = 3_653 * dayMs;

export interface FlowCommandParts {
  readonly controls: ControlStore;
  /** @throws MeshError precondition when this agent does not run it */
  readonly runner: (flow: FlowId) => FlowRunner;
  readonly onEvent: (event: FlowEvent) => void;
}

export class FlowCommands {
  readonly #parts: FlowCommandParts;
  readonly #deps: Deps;

  constructor(parts: FlowCommandParts, deps: Deps) {
    this.#parts = parts;
    this.#deps = deps;
  }

  async pause(flow: FlowId, place: FlowPlace, said: Omit<Said, 'atMs'>): Promise<PauseOverride> {
    this.#parts.runner(flow).checkPlace(place);
    const override = { kind: 'pause', ...place, ...this.#now(said) } as const;
    await this.#parts.controls.putOverride(override);
    this.#tell('paused', place, `${placeText(place)} paused ${saidText(override)}`);
    return override;
  }

  /** Returns what was taken back: the pause of that place, and those within it. */
  async resume(flow: FlowId, place: FlowPlace, by: string): Promise<readonly PauseOverride[]> {
    const { controls, runner } = this.#parts;
    const running = runner(flow);
    const pauses = controls.overrides.list(flow).filter((one) => one.kind === 'pause');
    const wider = pauses.find((pause) => isWithin(place, pause) && !isWithin(pause, place));
    if (wider !== undefined) {
      const text = `${placeText(wider)} is paused ${saidText(wider)}: resume that`;
      throw new MeshError('precondition', text);
    }
    const lifted = pauses.filter((pause) => isWithin(pause, place));
    // A pause outlives what it is of.
    if (lifted.length === 0) running.checkPlace(place);
    for (const pause of lifted) await controls.removeOverride(pause);
    await controls.askRetry(flow, { by, atMs: this.#deps.clock.nowMs() });
    this.#tell('resumed', place, `${placeText(place)} resumed by ${by}`);
    return lifted;
  }

  async limit(flow: FlowId, limit: FlowLimit, said: Omit<Said, 'atMs'>): Promise<LimitAnswer> {
    const { controls, runner } = this.#parts;
    const running = runner(flow);
    const place = { flow, topic: undefined, partition: undefined };
    const override: LimitOverride | undefined =
      limit === 'file' ? undefined : { kind: 'limit', flow, ...limit, ...this.#now(said) };
    if (override !== undefined) await controls.putOverride(override);
    else await controls.removeLimit(flow);
    const { bytesPerSecond } = running.controls.rate;
    const size = bytesPerSecond === undefined ? 'no limit' : `${bytesPerSecond} bytes a second`;
    const from = override === undefined ? `as in the file, by ${said.by}` : saidText(override);
    this.#tell('limited', place, `${flow}: ${size} ${from}`);
    return { override, bytesPerSecond };
  }

  #now({ untilMs, ...said }: Omit<Said, 'atMs'>): Said {
    const atMs = this.#deps.clock.nowMs();
    const aheadMs = (untilMs ?? Infinity) - atMs;
    if (untilMs === undefined || (aheadMs > 0 && aheadMs <= aheadMsMax))
      return { ...said, atMs, untilMs };
    // Later than any date that can be written, it is a number.
    const found =
      aheadMs > 0 ? `${Math.round(aheadMs / dayMs)} days` : new Date(untilMs).toISOString();
    const text = `until: found ${found}, wanted a time that is yet to come, within ten years`;
    throw new MeshError('usage', text);
  }

  #tell(kind: 'paused' | 'resumed' | 'limited', place: FlowPlace, text: string): void {
    const { flow, topic = '', partition = -1 } = place;
    this.#parts.onEvent({ kind, flow, topic, partition, text });
  }
}
