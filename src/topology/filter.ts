/** Filters of names: regular expressions that must match the whole name; exclude wins. */
import type { NameFilter } from './model.ts';

const compiled = new WeakMap<NameFilter, { include: RegExp[]; exclude: RegExp[] }>();

function compile(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}

export function matchesPattern(pattern: string, name: string): boolean {
  return compile(pattern).test(name);
}

export function matchesFilter(filter: NameFilter, name: string): boolean {
  let found = compiled.get(filter);
  if (found === undefined) {
    found = { include: filter.include.map(compile), exclude: filter.exclude.map(compile) };
    compiled.set(filter, found);
  }
  const matches = (pattern: RegExp): boolean => pattern.test(name);
  return found.include.some(matches) && !found.exclude.some(matches);
}
