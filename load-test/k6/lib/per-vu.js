// @ts-check
// What belongs to one virtual user. Its number is that of the whole test: several instances of k6 that share a test by
// execution segments count `__VU` each from 1, and would send the same identities.
import exec from 'k6/execution';

/**
 * @template T
 * @param {(vu: number) => T} make  called in the first iteration of each virtual user, with its number from 1
 * @returns {() => T}
 */
export function perVu(make) {
  /** @type {T | undefined} */
  let made;
  return () => (made ??= make(exec.vu.idInTest));
}
