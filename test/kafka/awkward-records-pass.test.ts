import { test } from 'node:test';
import { crossAwkwardRecords } from '../support/awkward-crossing.ts';

test('what the Java producer writes crosses unchanged in the pass lane, east->west', () =>
  crossAwkwardRecords('java', 'east', 'west', 'pass'));

test('what librdkafka writes crosses unchanged in the pass lane, west->east', () =>
  crossAwkwardRecords('librdkafka', 'west', 'east', 'pass'));
