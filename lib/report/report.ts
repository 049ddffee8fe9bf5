import { expected } from '../errors.js';

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A set of samples as a report names it. */
export interface SamplesUsed {
  samples: number;
  digest: string;
}

/** What every method's report holds beside its own figures: plain data, the same in JavaScript and in JSON. */
export interface Report<Figures = { [name: string]: unknown }> {
  format: typeof reportFormat;
  /** 'prune.magnitude'. */
  method: string;
  /** Resolved: defaults filled in, secrets blanked. */
  options: { [name: string]: unknown };
  seed: number;
  versions: { espalier: string; libtorch: string; node: string };
  machine: { cpu: string; cores: number; threads: number; device: string };
  /** Models and domains by the name of their input, with digests. */
  inputs: { [name: string]: unknown };
  /** ISO 8601, UTC. */
  startedAt: string;
  durationMs: number;
  warnings: string[];
  figures: Figures;
}

/** A report of any method, perhaps read from a file of another version: only what `checkReport` promises. */
export type AnyReport = Partial<Omit<Report, 'format' | 'method' | 'figures'>> & {
  format?: string;
  method: string;
  figures: object;
};

export const reportFormat = 'espalier-report/1';

/** `value`, if it is a report that this version can show. */
export function checkReport(value: unknown, name = 'report'): AnyReport {
  if (!isObject(value)) throw expected('a report', name, value);
  const { format, method, figures } = value;
  if (format !== reportFormat) throw expected(`'${reportFormat}'`, `${name}.format`, format);
  if (typeof method !== 'string') throw expected('the name of a method', `${name}.method`, method);
  if (!isObject(figures)) throw expected('an object', `${name}.figures`, figures);
  return value as unknown as AnyReport;
}

/** One report or several, as a list that is not empty. */
export function checkReports(value: unknown): AnyReport[] {
  if (!Array.isArray(value)) return [checkReport(value)];
  if (value.length === 0) throw expected('at least one report', 'reports', value);
  return value.map((report, i) => checkReport(report, `reports[${i}]`));
}

export function isObject(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
