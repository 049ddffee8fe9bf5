import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Domain, evaluate, Model, type Report } from '../../lib/index.js';

/** A sentence that the figures must bear out. */
export interface Claim {
  id: string;
  text: string;
  /** What was measured, in words with numbers. */
  measured: string;
  holds: boolean;
  /** A goal that is reported: it is no failure where it is not reached. */
  isGoal?: boolean;
}

/** One run with one seed. */
export interface Measurement {
  label: string;
  seed: number;
  figures: { [name: string]: number | number[] };
}

export interface Reproduction {
  title: string;
  setting: string;
  /** Sample domains that were used. */
  domains: string[];
  claims: Claim[];
  measurements: Measurement[];
}

export interface Context {
  seeds: number[];
  folder: string;
  log(line: string): void;
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** A model that a script of bench/pytorch writes. */
export async function fromPython(...asked: Parameters<typeof writtenByPython>): Promise<Model> {
  return await Model.load(await writtenByPython(...asked));
}

/** The file that a script of bench/pytorch writes. */
export async function writtenByPython(
  script: string,
  folder: string,
  ...args: (string | number)[]
): Promise<string> {
  const own = path.join(root, '.venv/bin/python');
  const file = path.join(folder, `${script}-${args.join('-').replaceAll('/', '_')}.pt`);
  const [python, program] = [
    fs.existsSync(own) ? own : 'python3',
    path.join(root, 'bench/pytorch', `${script}.py`),
  ];
  const given = args.map(String);
  const at = given.findIndex((arg) => arg.endsWith('.pt'));
  await promisify(execFile)(python, [program, ...given.slice(0, at + 1), file, ...given.slice(at + 1)]);
  return file;
}

/** Accuracy on report data, on which nothing was chosen, in percent. */
export async function accuracy(model: Model, domain: Domain): Promise<number> {
  const { report } = await evaluate.accuracy(model, { domain });
  return report.figures.accuracy * 100;
}

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Mean and standard deviation over seeds: "98.2 ± 0.3". */
export function spread(values: readonly number[], digits = 1): string {
  const center = mean(values);
  const variance =
    values.reduce((sum, value) => sum + (value - center) ** 2, 0) / Math.max(1, values.length - 1);
  return `${center.toFixed(digits)} ± ${Math.sqrt(variance).toFixed(digits)}`;
}

/** What every figure depends on besides the code. */
export function machine(report: Pick<Report, 'versions'>) {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    node: process.version,
    versions: report.versions,
  };
}
