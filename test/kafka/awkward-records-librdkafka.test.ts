import { test } from 'node:test';
import { crossAwkwardRecords } from '../support/awkward-crossing.ts';

test('what the librdkafka producer writes crosses unchanged, east->west', () =>
  crossAwkwardRecords('librdkafka', 'east', 'west'));

test('what the librdkafka producer writes crosses unchanged, west->east', () =>
  crossAwkwardRecords('librdkafka', 'west', 'east'));
