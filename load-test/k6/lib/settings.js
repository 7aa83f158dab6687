// @ts-check
// The environment of a run, read once and checked. Pure. docs/reference/k6.md describes each variable.

/**
 * @typedef {object} Phase
 * @property {string} name
 * @property {number} vus
 * @property {number} [seconds]     length, before PHASE_SCALE; left out where `iterations` ends the phase
 * @property {number} [iterations]  all virtual users together
 * @property {number} [rate]        arrivals per second (open model); RATE replaces it
 */
/** @typedef {{ thinkTimeMs: number, trials?: number, phases: Phase[] }} Mode */
/**
 * lib/modes.json. `warmup` stands apart from the modes that a user may ask for.
 * @typedef {{ modes: Record<string, Mode>, warmup: Mode, calibrate: Mode, payloads: string[], gracefulStopSeconds: number }} ModesFile
 */
/** @typedef {Record<string, string | undefined>} Environment */

/**
 * @typedef {object} Settings
 * @property {string} mode
 * @property {number} thinkTimeMs
 * @property {Phase[]} phases        scaled
 * @property {number} gracefulStopSeconds
 * @property {string} payload
 * @property {string} host
 * @property {number} port
 * @property {string} scheme         http or https; gRPC goes over TLS with https
 * @property {string} origin         of REST: scheme, host and port
 * @property {string | undefined} tlsCert  file of the client's own certificate, PEM
 * @property {string | undefined} tlsKey   file of its key
 * @property {string | undefined} authorization  value of the header; never in a summary or a log
 * @property {string} seed           decimal digits; text, since k6 numbers end at 2^53
 * @property {string} runId
 * @property {string} target
 * @property {number} phaseScale
 * @property {string | undefined} summaryPath
 * @property {string} restPath
 * @property {boolean} grpcReconnect
 * @property {'json' | 'map'} grpcAttributes  how an event's attributes are sent
 * @property {string} grpcMethod     full name, `package.Service/Method`
 * @property {string} protoDir
 * @property {string} protoFile
 */

/** Written to `setup()`'s log line, the summary and entity ids, so nothing that JSON or SQL would escape. */
const RUN_ID = /^[A-Za-z0-9._-]{1,64}$/;
const RUN_ID_RULE = '1 to 64 letters, digits, dots, underscores and hyphens';

/**
 * @param {Environment} env
 * @param {ModesFile} modes
 * @returns {Settings}
 * @throws {Error} that names the variable and what is valid
 */
export function readSettings(env, modes) {
  // What `weir calibrate` asks for stands apart from the modes that a user may ask for, as the warm-up does.
  const calibrates = env.TEST_MODE === 'calibrate';
  const mode = calibrates ? 'calibrate' : oneOf(env, 'TEST_MODE', [...Object.keys(modes.modes), 'warmup'], 'smoke');
  const phaseScale = positiveNumber(env, 'PHASE_SCALE', '1');
  const { thinkTimeMs, phases } = phasesOf(mode, env, modes);
  const host = required(env, 'HOST', 'the name or address of the service under test');
  const scheme = oneOf(env, 'SCHEME', ['http', 'https'], 'http');
  return {
    mode,
    thinkTimeMs,
    phases: phases.map((phase) => atRate(scaled(phase, phaseScale), env)),
    gracefulStopSeconds: modes.gracefulStopSeconds,
    payload: oneOf(env, 'PAYLOAD_SIZE', modes.payloads, 'default'),
    host,
    port: port(env),
    scheme,
    origin: `${scheme}://${host}:${port(env)}`,
    ...identity(env),
    authorization: authorization(env),
    seed: matching(env, 'SEED', /^\d{1,20}$/, 'a whole number from 0', '1'),
    runId: matching(env, 'RUN_ID', RUN_ID, RUN_ID_RULE, 'manual'),
    target: matching(env, 'TARGET', RUN_ID, RUN_ID_RULE, 'unnamed'),
    phaseScale,
    summaryPath: env.SUMMARY_PATH || undefined,
    restPath: matching(env, 'REST_PATH', /^\//, 'a path that begins with /', '/api/v1/events'),
    grpcReconnect: flag(env, 'GRPC_RECONNECT'),
    grpcAttributes: /** @type {'json' | 'map'} */ (oneOf(env, 'GRPC_ATTRIBUTES', ['json', 'map'], 'json')),
    grpcMethod: `${env.GRPC_SERVICE || 'com.example.grpc.EventService'}/${env.GRPC_METHOD || 'ProcessEvent'}`,
    protoDir: env.PROTO_DIR || '/k6/proto',
    protoFile: env.GRPC_PROTO || 'event_service.proto',
  };
}

/**
 * @param {string} mode
 * @param {Environment} env
 * @param {ModesFile} modes
 * @returns {Mode}
 */
function phasesOf(mode, env, modes) {
  if (mode === 'warmup') {
    return warmup(env, modes);
  }
  return mode === 'calibrate' ? modes.calibrate : modes.modes[mode];
}

/**
 * @param {Environment} env
 * @param {ModesFile} modes
 * @returns {Mode}
 */
function warmup(env, modes) {
  const { thinkTimeMs, phases } = modes.warmup;
  const iterations = env.WARMUP_ITERATIONS
    ? Number(matching(env, 'WARMUP_ITERATIONS', /^[1-9]\d{0,8}$/, 'a whole number from 1', ''))
    : undefined;
  return { thinkTimeMs, phases: phases.map((phase) => ({ ...phase, iterations: iterations ?? phase.iterations })) };
}

/**
 * @param {Phase} phase
 * @param {number} scale
 * @returns {Phase}
 */
function scaled(phase, scale) {
  return phase.seconds === undefined ? phase : { ...phase, seconds: phase.seconds * scale };
}

/**
 * RATE is for phases that have a rate; others have none to replace.
 * @param {Phase} phase
 * @param {Environment} env
 * @returns {Phase}
 */
function atRate(phase, env) {
  return phase.rate === undefined ? phase : { ...phase, rate: positiveNumber(env, 'RATE', String(phase.rate)) };
}

/** @param {string} name @param {string | undefined} value @param {string} valid @returns {Error} */
function wrong(name, value, valid) {
  const problem = value ? `is "${value}"` : 'is not set';
  return new Error(`${name} ${problem}; valid is ${valid}`);
}

/** @param {Environment} env @param {string} name @param {string} what @returns {string} */
function required(env, name, what) {
  const value = env[name];
  if (!value) {
    throw wrong(name, value, what);
  }
  return value;
}

/** @param {Environment} env @param {string} name @param {string[]} valid @param {string} otherwise */
function oneOf(env, name, valid, otherwise) {
  const value = env[name] || otherwise;
  if (!valid.includes(value)) {
    throw wrong(name, value, `one of ${valid.join(', ')}`);
  }
  return value;
}

/** @param {Environment} env @param {string} name @param {RegExp} pattern @param {string} valid @param {string} otherwise */
function matching(env, name, pattern, valid, otherwise) {
  const value = env[name] || otherwise;
  if (!pattern.test(value)) {
    throw wrong(name, value, valid);
  }
  return value;
}

/** @param {Environment} env @param {string} name @param {string} otherwise */
function positiveNumber(env, name, otherwise) {
  const value = Number(env[name] || otherwise);
  if (!(value > 0 && Number.isFinite(value))) {
    throw wrong(name, env[name], 'a number above 0');
  }
  return value;
}

/** @param {Environment} env */
function port(env) {
  const value = required(env, 'PORT', 'a port from 1 to 65535');
  if (!/^\d{1,5}$/.test(value) || Number(value) < 1 || Number(value) > 65535) {
    throw wrong('PORT', value, 'a port from 1 to 65535');
  }
  return Number(value);
}

/**
 * The client's own certificate and its key: both or none.
 * @param {Environment} env
 */
function identity(env) {
  const [tlsCert, tlsKey] = [env.TLS_CLIENT_CERT || undefined, env.TLS_CLIENT_KEY || undefined];
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const missing = tlsCert === undefined ? 'TLS_CLIENT_CERT' : 'TLS_CLIENT_KEY';
    throw wrong(missing, undefined, 'a PEM file, beside the other of TLS_CLIENT_CERT and TLS_CLIENT_KEY');
  }
  return { tlsCert, tlsKey };
}

/**
 * The error repeats nothing of the token.
 * @param {Environment} env
 */
function authorization(env) {
  const token = (env.WEIR_TOKEN || '').trim();
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new Error('WEIR_TOKEN holds blanks or other characters that no token has; valid is one bearer token');
  }
  return token === '' ? undefined : `Bearer ${token}`;
}

/** @param {Environment} env @param {string} name */
function flag(env, name) {
  return oneOf(env, name, ['0', '1'], '0') === '1';
}
