/**
 * What a partition was last paused for. It is tried again and again, and each try may end the same
 * way: the partition counts as paused until it is seen to go on.
 */
import type { MeshError } from '../base/errors.ts';

export class OpenTrouble {
  #open: { readonly trouble: MeshError; readonly position: number | undefined } | undefined;

  /** Undefined: it goes on, or was never paused. */
  get why(): string | undefined {
    return this.#open && troubleText(this.#open.trouble);
  }

  /** It may be over by now: a leader, a connection. */
  get isTransient(): boolean {
    return this.#open?.trouble.retriable === true;
  }

  /** @param position where copying stood; undefined: it has never begun */
  begin(trouble: MeshError, position: number | undefined): void {
    this.#open = { trouble, position };
  }

  /** @param isCurrent nothing waits there, at which it could fail again */
  standsAt(position: number, isCurrent: boolean): void {
    if (isCurrent || this.#open?.position !== position) this.#open = undefined;
  }
}

export function troubleText({ code, message }: MeshError): string {
  return `${code}: ${message}`;
}
