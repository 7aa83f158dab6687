// @ts-check
// The accounts that a run asks for: drawn uniformly from those that `weir seed` makes. Pure: it runs in k6 and in
// node.
import { between, randomFor } from './random.js';

/** Ids run from `0.0.100000` to `0.0.109999`. */
export const FIRST_ACCOUNT = 100_000;
export const ACCOUNTS = 10_000;

/** The sequence of accounts of one virtual user. */
export class AccountSource {
  /** @param {{ seed: string, vu: number }} options  vu: from 1, unique within the run */
  constructor({ seed, vu }) {
    this.random = randomFor(seed, 'accounts', vu);
  }

  /** @returns {string} an account id */
  next() {
    return `0.0.${between(this.random, FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS - 1)}`;
  }
}

/**
 * Reads have one size. A run that asks for another would be recorded as something that it is not.
 * @param {string} payload
 * @throws {Error} that names the variable and what is valid
 */
export function requireDefaultPayload(payload) {
  if (payload !== 'default') {
    throw new Error(`PAYLOAD_SIZE is "${payload}"; valid for balances is default`);
  }
}
