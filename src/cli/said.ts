/** What commands that change a running flow have in common: which part of it, why, until when. */
import type { Command } from 'commander';
import { MeshError } from '../base/errors.ts';
import { parseFlowId, type SiteName } from '../base/ids.ts';
import type { FlowPlace, Said } from '../flow/overrides.ts';
import { parseDuration } from '../topology/duration.ts';
import type { CliIo } from './io.ts';

export interface SaidOptions {
  readonly why?: string;
  readonly for?: string;
  readonly until?: string;
}

export function withSaidOptions(command: Command): Command {
  return command
    .option('--why <text>', 'the reason, shown by status')
    .option('--for <duration>', 'ends by itself: 90s, 30m, 6h, 2d')
    .option('--until <time>', 'ends by itself: an ISO time such as 2030-01-31T06:00Z');
}

/** @throws MeshError usage */
export function saidBy(io: CliIo, options: SaidOptions): Omit<Said, 'atMs'> {
  const { why = '', for: duration, until } = options;
  if (duration !== undefined && until !== undefined) {
    throw new MeshError('usage', 'found both --for and --until, wanted one of them');
  }
  return { by: io.user, why, untilMs: endOf(io, duration, until) };
}

function endOf(io: CliIo, duration?: string, until?: string): number | undefined {
  if (duration !== undefined) return io.clock.nowMs() + durationMs('--for', duration);
  if (until === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\d/.test(until) ? Date.parse(until) : NaN;
  if (ms <= io.clock.nowMs()) throw wanted('--until', until, 'a time that is yet to come');
  if (!Number.isNaN(ms)) return ms;
  throw wanted('--until', until, 'an ISO time such as 2030-01-31T06:00Z');
}

/** @throws MeshError usage */
export function durationMs(option: string, duration: string): number {
  const ms = parseDuration(duration) ?? 0;
  if (ms > 0) return ms;
  throw wanted(option, duration, 'a duration such as 90s, 30m, 6h or 2d');
}

/** Which part of which flow, and the site whose agents carry it. */
export interface ParsedPlace extends FlowPlace {
  readonly site: SiteName;
}

/** @param parts `flow`: no part of one */
export function parsePlace(text: string, parts: 'flow' | 'any'): ParsedPlace {
  const [flow = '', topic, partition, ...rest] = text.split('/');
  const form = parts === 'flow' ? 'a flow such as east->west' : 'FLOW[/TOPIC[/PARTITION]]';
  const parsed = parseFlowId(flow);
  // The shell has taken the rest of an arrow for a file to write to.
  const hint = /^[a-z][a-z0-9-]*-$/.test(text) ? `; put it in quotes: '${text}>...'` : '';
  const isPart = topic !== undefined && parts === 'flow';
  const isWrong = topic === '' || (partition !== undefined && !/^\d{1,9}$/.test(partition));
  if (parsed === undefined || isPart || isWrong || rest.length > 0) {
    throw new MeshError('usage', `found ${JSON.stringify(text)}, wanted ${form}${hint}`);
  }
  const number = partition === undefined ? undefined : Number(partition);
  return { flow, topic, partition: number, site: parsed.to };
}

function wanted(option: string, found: string, what: string): MeshError {
  return new MeshError('usage', `${option}: found ${JSON.stringify(found)}, wanted ${what}`);
}
