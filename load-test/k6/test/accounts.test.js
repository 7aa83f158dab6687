// The accounts that balance runs ask for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACCOUNTS, AccountSource, FIRST_ACCOUNT, requireDefaultPayload } from '../lib/accounts.js';

const draw = (seed, vu, count) => {
  const source = new AccountSource({ seed, vu });
  return Array.from({ length: count }, () => source.next());
};

test('the same seed and virtual user give the same accounts, others give others', () => {
  assert.deepEqual(draw('1', 7, 100), draw('1', 7, 100));
  assert.notDeepEqual(draw('1', 7, 100), draw('2', 7, 100));
  assert.notDeepEqual(draw('1', 7, 100), draw('1', 8, 100));
});

test('accounts are drawn uniformly from the seeded ones', () => {
  const tenths = new Array(10).fill(0);
  for (const id of draw('1', 1, 100_000)) {
    assert.match(id, /^0\.0\.10\d{4}$/);
    tenths[Math.floor(((Number(id.slice(4)) - FIRST_ACCOUNT) / ACCOUNTS) * 10)]++;
  }
  for (const count of tenths) {
    assert.ok(count > 9_500 && count < 10_500, String(tenths));
  }
});

test('reads have one size', () => {
  requireDefaultPayload('default');
  assert.throws(() => requireDefaultPayload('64k'), /PAYLOAD_SIZE is "64k"; valid for balances is default/);
});
