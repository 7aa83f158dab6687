// @ts-check
// Calls of a user's own gRPC server: unary ones, and those whose answer is a stream.
import { sleep } from 'k6';
import grpc, { Stream } from 'k6/net/grpc';

/** @typedef {import('./own-requests.js').Step} Step */
/** @typedef {import('./own-requests.js').Answer} Answer */

export class OwnGrpc {
  /**
   * Only in the init context.
   * @param {{ proto?: { file: string, include: string[] }, address: string, params: import('k6/net/grpc').ConnectParams, retrySeconds: number }} options
   *   proto: the description of the calls; without one the server's reflection is asked
   */
  constructor({ proto, address, params, retrySeconds }) {
    this.client = new grpc.Client();
    if (proto) {
      this.client.load(proto.include, proto.file);
    }
    this.address = address;
    this.params = { ...params, reflect: !proto };
    this.retrySeconds = retrySeconds;
    this.connected = false;
  }

  /**
   * @param {Step} step
   * @param {object} message
   * @param {Record<string, string>} metadata
   * @param {boolean} whole  whether the answer is wanted whatever the step expects
   * @returns {Answer | Promise<Answer>}
   */
  ask(step, message, metadata, whole) {
    if (!this.connected) {
      try {
        this.client.connect(this.address, this.params);
        this.connected = true;
      } catch (error) {
        sleep(this.retrySeconds);
        return answered(-1, `cannot connect to ${this.address}: ${error}`);
      }
    }
    const params = { metadata, timeout: `${step.timeout_ms}ms` };
    try {
      return step.stream ? this.stream(step, message, params) : this.unary(step, message, params, whole);
    } catch (error) {
      return answered(-1, String(error));
    }
  }

  /** @param {Step} step @param {object} message @param {import('k6/net/grpc').Params} params @param {boolean} whole @returns {Answer} */
  unary(step, message, params, whole) {
    const looks = whole || (step.expect.json ?? []).length > 0 || (step.capture ?? []).length > 0 || step.expect.contains !== undefined;
    const begun = Date.now();
    const response = this.client.invoke(step.call ?? '', message, { ...params, discardResponseMessage: !looks });
    const empty = Object.keys(response.headers).length === 0 && Object.keys(response.trailers).length === 0;
    if (response.status === grpc.StatusUnavailable && empty) {
      // The client's own transport: without a new connection it would wait between its attempts for minutes.
      this.client.close();
      this.connected = false;
    }
    const error = /** @type {{ message?: string } | null} */ (/** @type {unknown} */ (response.error));
    const text = response.status === grpc.StatusOK ? JSON.stringify(response.message) : (error?.message ?? '');
    return {
      status: Number(response.status),
      headers: first({ ...response.headers, ...response.trailers }),
      text,
      json: () => response.message ?? undefined,
      ms: Date.now() - begun,
      messages: 1,
    };
  }

  /** @param {Step} step @param {object} message @param {import('k6/net/grpc').Params} params @returns {Promise<Answer>} */
  stream(step, message, params) {
    const begun = Date.now();
    return new Promise((resolve) => {
      let messages = 0;
      /** @type {unknown} */
      let last;
      /** @param {number} status @param {string} [problem] */
      const end = (status, problem) =>
        resolve({ status, problem, headers: {}, text: problem ?? JSON.stringify(last ?? null), json: () => last, ms: Date.now() - begun, messages });
      const stream = new Stream(this.client, step.call ?? '', params);
      stream.on('data', (received) => {
        messages += 1;
        last = received;
      });
      stream.on('error', (error) => {
        const { code, message: said } = /** @type {{ code?: number, message?: string }} */ (error);
        // A code that the step expects is no problem.
        end(code ?? -1, code === step.expect.code ? undefined : `code is ${code}: ${said}`);
      });
      stream.on('end', () => end(0));
      stream.write(message);
      stream.end();
    });
  }
}

/** @param {number} status @param {string} problem @returns {Answer} */
function answered(status, problem) {
  return { status, problem, headers: {}, text: null, json: () => undefined, ms: 0, messages: 0 };
}

/** The first value of each, names in lower case. @param {object} all @returns {Record<string, string>} */
function first(all) {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name.toLowerCase(), String(Array.isArray(value) ? value[0] : value)]));
}
