// @ts-check
// The records that a run appends to a log: JSON that names the run, the virtual user and the record's number, padded to
// about the size of an event. The audit reads them back. Pure: it runs in k6 and in node.

/** Partitions of a run's topic. A virtual user writes to one of them, so that its records are in order there. */
export const PARTITIONS = 4;

const BYTES = 400;

/** The sequence of records of one virtual user. */
export class RecordSource {
  /** @param {{ runId: string, vu: number }} options  vu: from 1, unique within the run */
  constructor({ runId, vu }) {
    this.partition = vu % PARTITIONS;
    this.prefix = `{"run":"${runId}","vu":${vu},"n":`;
    this.suffix = `,"pad":"${'x'.repeat(Math.max(0, BYTES - this.prefix.length - 16))}"}`;
    this.n = 0;
  }

  /** @returns {string} JSON; n counts from 1 */
  next() {
    return this.prefix + ++this.n + this.suffix;
  }
}

/**
 * Records have one size. A run that asks for another would be recorded as something that it is not.
 * @param {string} payload
 * @throws {Error} that names the variable and what is valid
 */
export function requireDefaultPayload(payload) {
  if (payload !== 'default') {
    throw new Error(`PAYLOAD_SIZE is "${payload}"; valid for records is default`);
  }
}
