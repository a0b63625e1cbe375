import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import { decide, type Decision, type Facts } from '../../../src/client/consumer/decide.ts';
import type { GroupMode } from '../../../src/groups/answer.ts';

const [east, west, north] = [siteName('east'), siteName('west'), siteName('north')];

function view(
  site: typeof east | undefined,
  epoch = 1,
  more: Partial<NonNullable<Facts['view']>> = {},
): Facts['view'] {
  const home = site === undefined ? undefined : ({ site, epoch, state: 'moved' } as const);
  return { mode: 'single', home, leaving: undefined, ...more };
}

function facts(more: Partial<Facts> = {}): Facts {
  return {
    group: 'billing',
    sites: ['east', 'west'],
    firstSite: undefined,
    moveOnLoss: undefined,
    view: view(east),
    agentsSilentMs: 0,
    othersSilentMs: 0,
    agentTimeoutMs: 10_000,
    running: undefined,
    passedOver: undefined,
    ...more,
  };
}

const running = (site: string, silentMs = 0, basis: 'home' | 'first' | 'synced' = 'home') => ({
  site,
  basis,
  silentMs,
});

function short(decision: Decision): string {
  switch (decision.kind) {
    case 'run':
      return `run ${decision.site} ${decision.basis}`;
    case 'fail':
      return `fail ${decision.error.code}`;
    case 'take_over':
      return `take_over ${decision.from}`;
    case 'use_synced':
      return `use_synced not ${decision.lost ?? 'none'}`;
    case 'stay':
      return decision.passOver === undefined ? 'stay' : `stay past ${decision.passOver}`;
    case 'wait':
      return decision.leaveFor === undefined ? 'wait' : `wait for ${decision.leaveFor}`;
  }
}

const moveOnLoss = { afterMs: 3_000 };

const cases: readonly (readonly [what: string, more: Partial<Facts>, wanted: string])[] = [
  ['at home', {}, 'run east home'],
  ['at home, running', { running: running('east') }, 'run east home'],
  ['the home has moved', { view: view(west, 2), running: running('east') }, 'run west home'],
  ['the home is no site of ours', { view: view(north, 2) }, 'fail site_unknown'],
  ['everywhere', { view: view(east, 1, { mode: 'everywhere' }) }, 'fail precondition'],
  ['local', { view: view(undefined, 1, { mode: 'local' }) }, 'fail precondition'],
  ['contested', { view: view(undefined, 1, { mode: 'contested' }) }, 'fail precondition'],
  [
    'contested while it runs',
    { view: view(undefined, 1, { mode: 'contested' }), running: running('east') },
    'stay',
  ],
  ['no home', { view: view(undefined, 1, { mode: 'off' }) }, 'fail precondition'],
  [
    'no home, but told where',
    { view: view(undefined, 1, { mode: 'off' }), firstSite: 'west' },
    'run west first',
  ],
  [
    'a home at last, elsewhere',
    { running: running('west', 0, 'first'), firstSite: 'west' },
    'run east home',
  ],
  [
    'a switchover waits',
    { view: view(east, 1, { leaving: { from: east, to: west } }), running: running('east') },
    'wait for west',
  ],
  [
    'it still waits',
    { view: view(east, 1, { leaving: { from: east, to: west } }) },
    'wait for west',
  ],
  [
    'a switchover of the home before',
    { view: view(west, 2, { leaving: { from: east, to: west } }) },
    'run west home',
  ],
  ['lost, and nobody asked for a move', { running: running('east', 60_000) }, 'run east home'],
  ['lost, not for long', { moveOnLoss, running: running('east', 2_999) }, 'run east home'],
  ['lost', { moveOnLoss, running: running('east', 3_000) }, 'take_over east'],
  [
    'lost, and no agent',
    { moveOnLoss, running: running('east', 3_000), othersSilentMs: 1 },
    'stay',
  ],
  [
    'lost, and no agent, which was said to do',
    {
      moveOnLoss: { ...moveOnLoss, withoutAgents: true },
      running: running('east', 3_000),
      othersSilentMs: 1,
    },
    'use_synced not east',
  ],
  ['no agent yet', { view: undefined, agentsSilentMs: 9_999 }, 'wait'],
  ['no agent', { view: undefined, agentsSilentMs: 10_000 }, 'use_synced not none'],
  [
    'no agent, running',
    { view: undefined, agentsSilentMs: 10_000, running: running('west', 0, 'synced') },
    'stay',
  ],
  [
    'an agent at last: the home is elsewhere',
    { running: running('west', 0, 'synced') },
    'stay past 1',
  ],
  ['and has not moved', { running: running('west', 0, 'synced'), passedOver: 1 }, 'stay past 1'],
  [
    'until it moves',
    { view: view(east, 2), running: running('west', 0, 'synced'), passedOver: 1 },
    'run east home',
  ],
  [
    'or comes here',
    { view: view(west, 2), running: running('west', 0, 'synced'), passedOver: 1 },
    'run west home',
  ],
];

describe('what a consumer does next', () => {
  for (const [what, more, wanted] of cases) {
    test(what, () => assert.equal(short(decide(facts(more))), wanted));
  }

  test('never at two sites, nor away from home but where it says why', () => {
    const modes: readonly GroupMode[] = ['single', 'off', 'contested', 'everywhere', 'local'];
    for (const mode of modes) {
      for (const home of [undefined, east, west, north]) {
        for (const at of [undefined, 'east', 'west']) {
          for (const silentMs of [0, 5_000]) {
            const decision = decide(
              facts({
                view: view(home, 3, { mode }),
                running: at === undefined ? undefined : running(at, silentMs),
                moveOnLoss,
              }),
            );
            if (decision.kind === 'run') assert.equal(decision.site, home);
            if (decision.kind === 'take_over') assert.equal(decision.from, at);
          }
        }
      }
    }
  });
});
