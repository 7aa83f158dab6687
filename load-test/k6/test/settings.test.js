// The environment, the phases and the options that follow from them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PAYLOAD_BYTES } from '../lib/events.js';
import { k6Options, planPhases } from '../lib/phases.js';
import { readSettings } from '../lib/settings.js';
import { summarize } from '../lib/summary.js';

const MODES = JSON.parse(readFileSync(new URL('../lib/modes.json', import.meta.url), 'utf8'));
const read = (env) => readSettings({ HOST: 'localhost', PORT: '8081', ...env }, MODES);
const plan = (env) => planPhases(read(env));

test('an error names the variable, its value and what is valid', () => {
  const cases = [
    [{ TEST_MODE: 'quick' }, /TEST_MODE is "quick"; valid is one of smoke, full, saturation, compare, warmup/],
    [{ TEST_MODE: 'compare', RATE: '0' }, /RATE is "0"; valid is a number above 0/],
    [{ PAYLOAD_SIZE: '5k' }, /PAYLOAD_SIZE is "5k"; valid is one of default, 4k, 8k, 32k, 64k/],
    [{ HOST: '' }, /HOST is not set/],
    [{ PORT: undefined }, /PORT is not set; valid is a port from 1 to 65535/],
    [{ PORT: '0' }, /PORT is "0"/],
    [{ PORT: '70000' }, /PORT is "70000"/],
    [{ PHASE_SCALE: '0' }, /PHASE_SCALE is "0"/],
    [{ PHASE_SCALE: 'fast' }, /PHASE_SCALE is "fast"/],
    [{ SEED: '-1' }, /SEED is "-1"/],
    [{ RUN_ID: `it's` }, /RUN_ID is "it's"/],
    [{ SCHEME: 'ftp' }, /SCHEME is "ftp"; valid is one of http, https/],
    [{ TLS_CLIENT_CERT: '/c.pem' }, /TLS_CLIENT_KEY is not set; valid is a PEM file/],
    [{ TLS_CLIENT_KEY: '/c.key' }, /TLS_CLIENT_CERT is not set/],
    [{ GRPC_RECONNECT: 'yes' }, /GRPC_RECONNECT is "yes"; valid is one of 0, 1/],
    [{ TEST_MODE: 'warmup', WARMUP_ITERATIONS: '0' }, /WARMUP_ITERATIONS is "0"/],
  ];
  for (const [env, message] of cases) {
    assert.throws(() => read(env), message);
  }
});

test('what is empty or left out takes its default', () => {
  const settings = read({ TEST_MODE: '', PAYLOAD_SIZE: '', SEED: undefined, SUMMARY_PATH: '' });
  assert.equal(settings.mode, 'smoke');
  assert.equal(settings.payload, 'default');
  assert.equal(settings.seed, '1');
  assert.equal(settings.summaryPath, undefined);
  assert.equal(settings.grpcMethod, 'com.example.grpc.EventService/ProcessEvent');
});

test('TLS and a token come from the environment, and the token stands in no summary and no error', () => {
  const plain = read({});
  assert.deepEqual([plain.origin, plain.authorization, plain.tlsCert], ['http://localhost:8081', undefined, undefined]);
  const env = { SCHEME: 'https', TLS_CLIENT_CERT: '/c.pem', TLS_CLIENT_KEY: '/c.key', WEIR_TOKEN: 's3cret\n' };
  const secure = read(env);
  assert.deepEqual([secure.origin, secure.authorization], ['https://localhost:8081', 'Bearer s3cret']);
  assert.deepEqual([secure.tlsCert, secure.tlsKey], ['/c.pem', '/c.key']);
  const data = { metrics: {}, state: { testRunDurationMs: 1 }, setup_data: { startedAtMs: 1 } };
  const places = summarize(data, { ...secure, summaryPath: '/s.json' }, plan(env), 'rest');
  assert.ok(!JSON.stringify(places).includes('s3cret'));
  assert.throws(() => read({ WEIR_TOKEN: 's3cret s3cret' }), (error) => /WEIR_TOKEN/.test(error.message) && !/s3cret/.test(error.message));
});

test('every payload of modes.json has a size', () => {
  assert.deepEqual(MODES.payloads, ['default', ...Object.keys(PAYLOAD_BYTES)]);
});

test('a phase starts when the ones before have lasted, and the scale shortens all', () => {
  const starts = (env) => plan(env).map(({ startSeconds, durationSeconds, vus }) => [startSeconds, durationSeconds, vus]);
  assert.deepEqual(starts({ TEST_MODE: 'full' }), [[0, 120, 10], [120, 120, 50], [240, 120, 100], [360, 300, 200]]);
  assert.deepEqual(starts({ TEST_MODE: 'full', PHASE_SCALE: '0.05' }), [[0, 6, 10], [6, 6, 50], [12, 6, 100], [18, 15, 200]]);
  assert.deepEqual(plan({ TEST_MODE: 'saturation' }).map(({ vus }) => vus), [10, 50, 100, 200, 500, 1000, 2000]);
});

test('iterations end smoke and warm-up, whatever the scale', () => {
  const smoke = k6Options(read({ PHASE_SCALE: '0.1' }), plan({}), 'rest').scenarios.phase_1;
  assert.deepEqual([smoke.executor, smoke.vus, smoke.iterations], ['shared-iterations', 1, 5]);
  assert.equal(plan({ TEST_MODE: 'warmup', WARMUP_ITERATIONS: '30' })[0].iterations, 30);
  assert.equal(plan({ TEST_MODE: 'warmup' })[0].iterations, 1000);
});

test('a rate arrives whatever the answers take, with all virtual users made beforehand', () => {
  const compare = (env) => k6Options(read({}), plan({ TEST_MODE: 'compare', ...env }), 'rest').scenarios.phase_1;
  const { executor, rate, timeUnit, preAllocatedVUs, maxVUs, duration } = compare({ RATE: '12.5', PHASE_SCALE: '0.1' });
  assert.deepEqual([executor, rate, timeUnit, duration], ['constant-arrival-rate', 1250, '100s', '3000ms']);
  assert.ok(preAllocatedVUs > 1 && preAllocatedVUs === maxVUs);
  assert.equal(compare({}).rate, MODES.modes.compare.phases[0].rate * 100);
  assert.equal(plan({ TEST_MODE: 'full', RATE: '5' })[0].rate, null);
});

test('scenarios start at whole milliseconds, with the graceful stop of modes.json', () => {
  const { scenarios } = k6Options(read({}), plan({ TEST_MODE: 'full', PHASE_SCALE: '0.013' }), 'rest');
  const { executor, startTime, duration, gracefulStop } = scenarios.phase_3;
  assert.deepEqual([executor, startTime, duration, gracefulStop], ['constant-vus', '3120ms', '1560ms', '5s']);
});

test('thresholds stand on metrics that k6 has, and keep the parts of each phase', () => {
  const phases = plan({ TEST_MODE: 'full' });
  const rest = k6Options(read({}), phases, 'rest').thresholds;
  const grpc = k6Options(read({}), phases, 'grpc').thresholds;
  assert.deepEqual(rest.http_req_duration, ['p(95)<2000', 'p(99)<5000']);
  assert.deepEqual(rest.http_req_failed, ['rate<0.05']);
  assert.deepEqual(grpc.grpc_req_duration, ['p(95)<2000', 'p(99)<5000']);
  for (const thresholds of [rest, grpc]) {
    assert.deepEqual(thresholds.events_failed, ['rate<0.05']);
    assert.ok(!('grpc_req_failed' in thresholds) && !('grpc_reqs' in thresholds));
    for (const { scenario } of phases) {
      assert.deepEqual(thresholds[`events_acknowledged{scenario:${scenario}}`], []);
    }
  }
  assert.deepEqual(rest['http_req_duration{scenario:phase_4,expected_response:true}'], []);
  assert.deepEqual(grpc['grpc_req_duration{scenario:phase_4,status:0}'], []);
  assert.deepEqual(grpc['grpc_req_duration{status:0}'], []);
});

test('the summary is k6 data with the plan of the run, a seed beyond 2^53 as text', () => {
  const data = { metrics: {}, state: { testRunDurationMs: 250 }, setup_data: { startedAtMs: 1700000000000 } };
  const env = { SUMMARY_PATH: '/tmp/s.json', RUN_ID: 'r-1', TARGET: 'producer-rest', SEED: '18446744073709551615' };
  const places = summarize(data, read(env), plan(env), 'rest');
  const { weir, state } = JSON.parse(places['/tmp/s.json']);
  assert.equal(state.testRunDurationMs, 250);
  assert.equal(weir.seed, '18446744073709551615');
  assert.equal(weir.startedAtMs, 1700000000000);
  assert.deepEqual(weir.phases, [
    { number: 1, name: 'smoke', vus: 1, rate: null, startSeconds: 0, durationSeconds: 0.25, iterations: 5, scenario: 'phase_1' },
  ]);
  assert.match(places.stdout, /^producer-rest smoke default \(rest, run r-1/);
});
