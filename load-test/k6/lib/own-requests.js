// @ts-check
// Prepared requests of a user's own weir.toml: texts out of their parts, and what an answer must be. Pure: it runs in k6
// and in node. docs/reference/weir-toml.md describes the file, crates/lab/lab-project/src/requests.rs its form.

/** @typedef {'plain' | 'path' | 'inside' | 'json' | 'string'} Form */
/** @typedef {string | { v: number } | { fill: 'counter' | 'uuid' | 'run' | 'env' | 'captured', name?: string, as: Form }} Part */
/**
 * @typedef {object} Expect
 * @property {[number, number][]} [status]
 * @property {number} code
 * @property {[string, string][]} [headers]
 * @property {[string, unknown][]} [json]
 * @property {string} [contains]
 * @property {number} [within_ms]
 * @property {number} messages
 */
/** @typedef {{ name: string, header?: string, pointer?: string }} Capture */
/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} [method]
 * @property {Part[]} [path]
 * @property {string} [call]
 * @property {boolean} stream
 * @property {[string, Part[]][]} headers
 * @property {Part[]} [body]
 * @property {Expect} expect
 * @property {Capture[]} [capture]
 * @property {number} timeout_ms
 */
/** @typedef {{ name: string, steps: Step[] }} Request */
/** @typedef {{ r: number, v?: string[] }} Drawn */
/**
 * @typedef {object} RequestFile
 * @property {string} schema
 * @property {'rest' | 'grpc'} protocol
 * @property {{ file: string, include: string[] }} [proto]
 * @property {string[]} env
 * @property {Request[]} requests
 * @property {Drawn[]} sequence
 */
/**
 * What only the moment of sending knows.
 * @typedef {object} Moment
 * @property {number} counter   of this request
 * @property {() => string} uuid
 * @property {string} run
 * @property {Record<string, string | undefined>} env
 * @property {Record<string, unknown>} captured  by earlier steps
 */
/**
 * An answer, whatever brought it.
 * @typedef {object} Answer
 * @property {number} status    REST: 0 where none came; gRPC: the code
 * @property {string} [problem] why none came
 * @property {Record<string, string>} headers  names in lower case; empty where nobody asks for one
 * @property {string | null} text
 * @property {() => unknown} json   undefined where the body is none
 * @property {number} ms
 * @property {number} messages
 */

export const SCHEMA = 'weir.requests/1';

/**
 * A text out of its parts.
 * @param {Part[]} parts
 * @param {string[] | undefined} values  what was drawn for this request
 * @param {Moment} moment
 */
export function join(parts, values, moment) {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
    } else if ('v' in part) {
      text += /** @type {string[]} */ (values)[part.v];
    } else {
      text += written(filled(part.fill, part.name ?? '', moment), part.as);
    }
  }
  return text;
}

/** @param {'counter' | 'uuid' | 'run' | 'env' | 'captured'} fill @param {string} name @param {Moment} moment @returns {unknown} */
function filled(fill, name, moment) {
  switch (fill) {
    case 'counter':
      return moment.counter;
    case 'uuid':
      return moment.uuid();
    case 'run':
      return moment.run;
    case 'env':
      return moment.env[name] ?? '';
    case 'captured':
      return moment.captured[name];
  }
}

/** @param {unknown} value @param {Form} form */
export function written(value, form) {
  const plain = typeof value === 'string' ? value : value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  switch (form) {
    case 'path':
      return encodeURIComponent(plain).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    case 'inside':
      return JSON.stringify(plain).slice(1, -1);
    case 'json':
      return JSON.stringify(value ?? null);
    case 'string':
      return JSON.stringify(plain);
    default:
      return plain;
  }
}

/**
 * The value at a JSON pointer (RFC 6901); undefined where there is none.
 * @param {unknown} value
 * @param {string} pointer
 */
export function at(value, pointer) {
  if (pointer === '') {
    return value;
  }
  for (const token of pointer.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null) {
      return undefined;
    }
    const key = token.replace(/~1/g, '/').replace(/~0/g, '~');
    value = /** @type {Record<string, unknown>} */ (value)[key];
  }
  return value;
}

/** Whether anybody looks into the body of a step's answer. @param {Step} step */
export function readsBody({ expect, capture }) {
  return (expect.json ?? []).length > 0 || expect.contains !== undefined || (capture ?? []).some(({ header }) => !header);
}

/** Whether anybody looks at its headers. @param {Step} step */
export function readsHeaders({ expect, capture }) {
  return (expect.headers ?? []).length > 0 || (capture ?? []).some(({ header }) => Boolean(header));
}

/**
 * What is wrong with an answer; empty where nothing is.
 * @param {Expect} expect
 * @param {Answer} answer
 */
export function wrongIn(expect, answer) {
  if (answer.problem) {
    return answer.problem;
  }
  if (expect.status) {
    if (!expect.status.some(([from, to]) => answer.status >= from && answer.status <= to)) {
      return `status is ${answer.status}, expected ${expect.status.map(([from, to]) => (from === to ? from : `${from} to ${to}`)).join(' or ')}`;
    }
  } else if (answer.status !== expect.code) {
    return `code is ${answer.status}, expected ${expect.code}`;
  }
  for (const [name, value] of expect.headers ?? []) {
    const found = answer.headers[name];
    if (found === undefined || (value !== '*' && found !== value)) {
      return `header ${name} is ${found === undefined ? 'missing' : `'${found}'`}, expected ${value === '*' ? 'any value' : `'${value}'`}`;
    }
  }
  if ((expect.json ?? []).length > 0) {
    const json = answer.json();
    for (const [pointer, value] of expect.json ?? []) {
      const found = at(json, pointer);
      if (!same(found, value)) {
        return `${pointer || 'the body'} is ${found === undefined ? 'missing' : JSON.stringify(found)}, expected ${JSON.stringify(value)}`;
      }
    }
  }
  if (expect.contains !== undefined && !(answer.text ?? '').includes(expect.contains)) {
    return `the body does not contain '${expect.contains}'`;
  }
  if (answer.messages < expect.messages) {
    return `${answer.messages} messages came, expected at least ${expect.messages}`;
  }
  if (expect.within_ms !== undefined && answer.ms > expect.within_ms) {
    return `took ${answer.ms.toFixed(1)} ms, expected at most ${expect.within_ms} ms`;
  }
  return '';
}

/** @param {unknown} a @param {unknown} b @returns {boolean} */
function same(a, b) {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return a === b;
  }
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return left.length === right.length && left.every(([key, value]) => same(value, /** @type {Record<string, unknown>} */ (b)[key]));
}

/**
 * Takes out of an answer what later steps need.
 * @param {Step} step
 * @param {Answer} answer
 * @param {Record<string, unknown>} captured
 * @returns {string} what is missing; empty where nothing is
 */
export function capture(step, answer, captured) {
  for (const { name, header, pointer } of step.capture ?? []) {
    const value = header ? answer.headers[header] : at(answer.json(), pointer ?? '');
    if (value === undefined) {
      return `nothing to capture as ${name}: ${header ? `header ${header}` : pointer} is missing`;
    }
    captured[name] = value;
  }
  return '';
}

/** A random UUID, version 4. No secret: an id that nobody else has. */
export function uuid() {
  const hex = () => Math.floor(Math.random() * 0x100000000).toString(16).padStart(8, '0');
  const [a, b, c, d] = [hex(), hex(), hex(), hex()];
  const variant = '89ab'[Number.parseInt(c[0], 16) % 4];
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`;
}
