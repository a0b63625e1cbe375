/**
 * Problems of a file, each with its place: line and column of the value, or of where it is
 * missing.
 */
import { isMap, isNode, isScalar, type Document, type LineCounter, type Node } from 'yaml';
import { MeshError } from '../base/errors.ts';

export type ProblemPath = readonly (string | number)[];

export interface Problem {
  readonly path: ProblemPath;
  readonly message: string;
}

export interface PlacedProblem extends Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Finds places in one parsed file. */
export class Places {
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #file: string;

  constructor(document: Document, lines: LineCounter, file: string) {
    this.#document = document;
    this.#lines = lines;
    this.#file = file;
  }

  at(problem: Problem): PlacedProblem {
    return { ...problem, ...this.#position(this.#offset(problem.path)) };
  }

  atOffset(offset: number, message: string): PlacedProblem {
    return { path: [], message, ...this.#position(offset) };
  }

  #position(offset: number): { file: string; line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  /** The key of an unknown or wrong entry; the nearest thing around it when it is not there. */
  #offset(path: ProblemPath): number {
    for (let length = path.length; length >= 0; length -= 1) {
      const part = path.slice(0, length);
      const key = this.#keyOffset(part);
      if (key !== undefined) return key;
      const node: unknown = this.#document.getIn(part, true);
      if (isNode(node) && node.range !== undefined && node.range !== null) return node.range[0];
    }
    return 0;
  }

  #keyOffset(path: ProblemPath): number | undefined {
    const last = path.at(-1);
    if (last === undefined) return undefined;
    const holder =
      path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    if (!isMap(holder)) return undefined;
    const pair = holder.items.find(
      ({ key }) => isScalar(key) && String(key.value) === String(last),
    );
    // A value on the line of its key is the better place to point to.
    const target = (isScalar(pair?.value) ? pair.value : pair?.key) as Node | undefined;
    return target?.range?.[0];
  }
}

export function topologyInvalid(problems: readonly PlacedProblem[]): MeshError {
  const lines = [...problems]
    .sort((a, b) => a.line - b.line || a.column - b.column)
    .map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
  return new MeshError('topology_invalid', lines.join('\n'), { details: { problems } });
}
