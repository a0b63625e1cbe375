/** What a consumer has done so far: plain numbers, read when metrics are collected. */
import type { MoveEvent } from './events.ts';

export class Tally {
  /** Records handled, by site. */
  readonly records = new Map<string, number>();
  /** By `from->to`. */
  readonly moves = new Map<string, number>();

  handled(site: string, records: number): void {
    this.records.set(site, (this.records.get(site) ?? 0) + records);
  }

  moved({ from, to }: Pick<MoveEvent, 'from' | 'to'>): void {
    const way = `${from}->${to}`;
    this.moves.set(way, (this.moves.get(way) ?? 0) + 1);
  }
}
