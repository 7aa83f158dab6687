// The streams that stream runs open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY, SinceSource, faultsOf, isReplay, parseEvents, requireDefaultPayload, sequencesOf, streamLimit } from '../lib/transactions.js';

const draw = (seed, vu, limit, count) => {
  const source = new SinceSource({ seed, vu, limit });
  return Array.from({ length: count }, () => source.next());
};

test('the same seed and virtual user give the same beginnings, others give others', () => {
  assert.deepEqual(draw('1', 7, 100, 100), draw('1', 7, 100, 100));
  assert.notDeepEqual(draw('1', 7, 100, 100), draw('2', 7, 100, 100));
  assert.notDeepEqual(draw('1', 7, 100, 100), draw('1', 8, 100, 100));
});

test('enough transactions follow each beginning', () => {
  for (const limit of [1, 100, 50_000, 99_990]) {
    const times = draw('1', 1, limit, 10_000).map((since) => (Date.parse(since) - Date.parse(DAY)) / 1000);
    assert.ok(Math.min(...times) >= 0);
    const last = Math.max(...times);
    // Transaction n is at n times 864 ms, and less than another 864 ms after that.
    const following = 100_000 - Math.ceil(last / 0.864);
    assert.ok(following >= limit, `${limit}: ${following} after ${last} s`);
  }
  assert.equal(draw('1', 1, 100_000, 1)[0], '2025-01-01T00:00:00.000Z');
});

test('a limit is a whole number of what there is', () => {
  assert.equal(streamLimit({}), 100);
  assert.equal(streamLimit({ STREAM_LIMIT: '5' }), 5);
  for (const wrong of ['0', '-1', '1.5', 'many', '100001']) {
    assert.throws(() => streamLimit({ STREAM_LIMIT: wrong }), /STREAM_LIMIT is ".*"; valid is a whole number/);
  }
});

test('a replay is complete, in order, and since its beginning', () => {
  const body =
    ': heartbeat\n\n' +
    'id: 4\nevent: transaction\ndata: {"timestamp":"2025-01-01T00:00:02Z","sequence":4,"emitted_at_us":9}\n\n' +
    'id: 7\nevent: transaction\ndata: {"timestamp":"2025-01-01T00:00:01.5Z","sequence":7,"emitted_at_us":9}\n\n';
  const events = parseEvents(body);
  assert.equal(events.length, 2);
  assert.ok(isReplay(events, '2025-01-01T00:00:01.000Z', 2));
  assert.ok(!isReplay(events, '2025-01-01T00:00:01.000Z', 3), 'one is missing');
  assert.ok(!isReplay(events, '2025-01-01T00:00:01.600Z', 2), 'one is too early');
  assert.ok(!isReplay([...events].reverse(), '2025-01-01T00:00:01.000Z', 2), 'out of order');
  assert.ok(!isReplay([events[0], events[0]], '2025-01-01T00:00:01.000Z', 2), 'repeated');
});

test('what was missed, repeated or out of order is told apart', () => {
  const cases = [
    [[], 0, 0, 0],
    [[7, 8, 9], 0, 0, 0],
    [[7, 9, 10], 1, 0, 0],
    [[7, 11], 3, 0, 0],
    [[7, 8, 8, 9], 0, 1, 0],
    [[7, 9, 8, 10], 0, 0, 1],
    [[7, 9, 8, 8, 12], 2, 1, 1],
    [[7, 8, 6], 0, 1, 0],
  ];
  for (const [sequences, missed, repeated, outOfOrder] of cases) {
    assert.deepEqual(faultsOf(sequences), { missed, repeated, outOfOrder }, String(sequences));
  }
});

test('numbers are read without the data', () => {
  const body = 'id: 41\nevent: transaction\ndata: {"tx_id":"\\nid: 3"}\n\n: heartbeat\n\nid: 42\ndata: {}\n\n';
  assert.deepEqual(sequencesOf(body), [41, 42]);
  assert.deepEqual(sequencesOf(''), []);
});

test('transactions have one size', () => {
  requireDefaultPayload('default');
  assert.throws(() => requireDefaultPayload('4k'), /PAYLOAD_SIZE is "4k"; valid for streams is default/);
});
