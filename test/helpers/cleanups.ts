/**
 * What a whole suite must undo: passed where one test would pass its `t`, and run by the suite's
 * `after` hook.
 */
export class Cleanups {
  readonly #undo: (() => Promise<void> | void)[] = [];

  /** Registers one step; the newest is undone first, as with a test's own `t.after`. */
  after(undo: () => Promise<void> | void): void {
    this.#undo.unshift(undo);
  }

  /** Undoes everything, once. */
  async run(): Promise<void> {
    for (const undo of this.#undo.splice(0)) await undo();
  }
}
