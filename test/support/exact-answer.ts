import { siteName } from '../../src/base/ids.ts';
import type { TranslateAnswer } from '../../src/groups/answer.ts';

/** Of billing, a group of mode `single` that could go on at west: with changes to that. */
export function exactAnswer(changes: Partial<TranslateAnswer> = {}): TranslateAnswer {
  return {
    mesh: 'shop',
    group: 'billing',
    from: siteName('east'),
    to: siteName('west'),
    mode: 'single',
    isDeclared: true,
    contest: undefined,
    home: undefined,
    verdict: 'exact',
    safeToStart: true,
    blockers: [],
    sourceReachable: true,
    positionsAsOfMs: undefined,
    sourceEndAsOfMs: undefined,
    positions: [],
    ...changes,
  };
}
