// The records that log runs append.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PARTITIONS, RecordSource, requireDefaultPayload } from '../lib/records.js';

test('a record names the run, the virtual user and its number, and has the size of an event', () => {
  const source = new RecordSource({ runId: 'r-1', vu: 7 });
  const texts = Array.from({ length: 12 }, () => source.next());
  const marks = texts.map((text) => JSON.parse(text)).map(({ run, vu, n }) => [run, vu, n]);
  assert.deepEqual(marks[0], ['r-1', 7, 1]);
  assert.deepEqual(marks[11], ['r-1', 7, 12]);
  for (const text of texts) {
    assert.ok(Math.abs(text.length - 400) < 16, `${text.length}`);
  }
  assert.ok(source.partition >= 0 && source.partition < PARTITIONS);
});

test('a long run id makes a longer record and no broken one', () => {
  const source = new RecordSource({ runId: 'r'.repeat(64), vu: 3000 });
  assert.equal(JSON.parse(source.next()).n, 1);
});

test('records have one size', () => {
  requireDefaultPayload('default');
  assert.throws(() => requireDefaultPayload('8k'), /PAYLOAD_SIZE is "8k"; valid for records is default/);
});
