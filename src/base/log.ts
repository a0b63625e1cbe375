/**
 * Logs: one JSON line an event, on stdout or to a file. Offsets are written as strings; record
 * contents and secrets are never written.
 */
import path from 'node:path';
import { destination, levels, pino, type Logger } from 'pino';
import { makeFolder } from './make-folder.ts';

export type Log = Logger;

export const logLevels = Object.keys(levels.values);

export interface LogOptions {
  readonly level: string;
  /** A file, or 1 for stdout and 2 for stderr. */
  readonly to: string | 1 | 2;
}

function jsonSafe(value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** @throws Error of Node when the file cannot be written */
export function openLog(options: LogOptions, bindings: Record<string, unknown> = {}): Log {
  if (typeof options.to === 'string') makeFolder(path.dirname(path.resolve(options.to)));
  const where = typeof options.to === 'string' ? { dest: options.to } : { fd: options.to };
  const stream = destination({ ...where, sync: true });
  return pino(
    {
      level: options.level,
      base: bindings,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) =>
          Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, jsonSafe(value)])),
      },
    },
    stream,
  );
}

/** For callers that have nobody to tell. */
export const silentLog: Log = pino({ level: 'silent' });
