// Prepared requests of a user's own file: the texts, and what an answer must be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, capture, join, readsBody, uuid, wrongIn, written } from '../lib/own-requests.js';

const moment = () => ({ counter: 7, uuid: () => 'u-u', run: 'r-1', env: { TOKEN: 's3cret' }, captured: { cart: 'a/b' } });
const answer = (own) => ({ status: 200, headers: {}, text: null, json: () => undefined, ms: 1, messages: 1, ...own });

test('a text is joined out of its parts, each value in the form of its place', () => {
  const parts = ['/carts/', { fill: 'captured', name: 'cart', as: 'path' }, '?n=', { v: 0 }, '&c=', { fill: 'counter', as: 'plain' }];
  assert.equal(join(parts, ['5'], moment()), '/carts/a%2Fb?n=5&c=7');
  const body = ['{"id":', { fill: 'counter', as: 'json' }, ',"t":"', { fill: 'env', name: 'TOKEN', as: 'inside' }, '","u":', { fill: 'uuid', as: 'json' }, '}'];
  assert.deepEqual(JSON.parse(join(body, [], moment())), { id: 7, t: 's3cret', u: 'u-u' });
  assert.equal(written('a "b"', 'inside'), 'a \\"b\\"');
  assert.equal(written(7, 'string'), '"7"');
  assert.equal(written({ a: 1 }, 'json'), '{"a":1}');
});

test('an answer that is not as expected says what it is', () => {
  const status = [[200, 299]];
  const expect = (own) => ({ status, code: 0, messages: 0, ...own });
  assert.equal(wrongIn(expect({}), answer({})), '');
  assert.match(wrongIn(expect({}), answer({ status: 404 })), /status is 404, expected 200 to 299/);
  assert.match(wrongIn(expect({}), answer({ status: 0, problem: 'no answer: refused' })), /refused/);
  const json = () => ({ id: 7, list: [{ name: 'a' }] });
  assert.equal(wrongIn(expect({ json: [['/list/0/name', 'a'], ['/list/0', { name: 'a' }]] }), answer({ json })), '');
  assert.match(wrongIn(expect({ json: [['/id', 8]] }), answer({ json })), /\/id is 7, expected 8/);
  assert.match(wrongIn(expect({ json: [['/gone', 8]] }), answer({})), /\/gone is missing/);
  assert.match(wrongIn(expect({ headers: [['etag', '*']] }), answer({})), /header etag is missing/);
  assert.equal(wrongIn(expect({ headers: [['etag', '*']] }), answer({ headers: { etag: 'x' } })), '');
  assert.match(wrongIn(expect({ contains: 'yes' }), answer({ text: 'no' })), /does not contain 'yes'/);
  assert.match(wrongIn(expect({ within_ms: 5 }), answer({ ms: 6 })), /took 6.0 ms/);
  assert.match(wrongIn({ code: 5, messages: 0 }, answer({ status: 0 })), /code is 0, expected 5/);
  assert.match(wrongIn({ code: 0, messages: 3 }, answer({ status: 0, messages: 2 })), /2 messages came/);
});

test('what later steps need is taken out of an answer', () => {
  const step = { name: 's', stream: false, headers: [], expect: { code: 0, messages: 0 }, timeout_ms: 1, capture: [{ name: 'id', pointer: '/a~1b/0' }, { name: 'at', header: 'location' }] };
  const captured = {};
  assert.equal(capture(step, answer({ json: () => ({ 'a/b': [9] }), headers: { location: '/x' } }), captured), '');
  assert.deepEqual(captured, { id: 9, at: '/x' });
  assert.match(capture(step, answer({}), {}), /nothing to capture as id/);
  assert.equal(readsBody(step), true);
  assert.equal(at({ a: null }, '/a/b'), undefined);
});

test('a UUID has the form of version 4', () => {
  for (let n = 0; n < 100; n += 1) {
    assert.match(uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});
