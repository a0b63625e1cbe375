/** Something that comes about once, and is waited for. */
export class Moment {
  /** Resolves when it has come; never, when it does not. */
  readonly come: Promise<void>;
  /** It is here; told again, nothing changes. */
  readonly tell: () => void;

  constructor() {
    let resolveNow = (): void => undefined;
    this.come = new Promise((resolve) => {
      resolveNow = resolve;
    });
    this.tell = resolveNow;
  }
}
