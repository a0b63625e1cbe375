/** Filters of names: regular expressions that must match the whole name; exclude wins. */
import type { NameFilter } from './model.ts';

const compiled = new WeakMap<NameFilter, { include: RegExp[]; exclude: RegExp[] }>();

function compile(patterns: readonly string[]): RegExp[] {
  return patterns.map((pattern) => new RegExp(`^(?:${pattern})$`));
}

export function matchesFilter(filter: NameFilter, name: string): boolean {
  let found = compiled.get(filter);
  if (found === undefined) {
    found = { include: compile(filter.include), exclude: compile(filter.exclude) };
    compiled.set(filter, found);
  }
  const matches = (pattern: RegExp): boolean => pattern.test(name);
  return found.include.some(matches) && !found.exclude.some(matches);
}
