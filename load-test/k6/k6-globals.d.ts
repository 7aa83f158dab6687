// What k6 offers globally and @types/k6 leaves out.
declare const console: {
  log(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
};
/** Loads a module in the init context. */
declare function require(path: string): any;
