import { test } from 'node:test';
import { crossAwkwardRecords } from '../support/awkward-crossing.ts';

test('what the Java producer writes crosses unchanged, east->west', () =>
  crossAwkwardRecords('java', 'east', 'west'));

test('what the Java producer writes crosses unchanged, west->east', () =>
  crossAwkwardRecords('java', 'west', 'east'));
