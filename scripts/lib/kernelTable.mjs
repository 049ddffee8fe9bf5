import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inRoot } from './paths.mjs';
import { must } from './process.mjs';

// docs/cuda.md's table, and docs/cuda.json: what ptxas says of each kernel with the build's own commands, and
// what each moves of a weight as its functor says (native/kernels/cuda/traffic.cc).

// Nominal bandwidth of the 80 GB SXM cards, GB/s; kernels of this kind reach about this share of it.
const kCards = { A100: 2039, H100: 3350 };
const kShare = 0.85;
const kWeights = 1e8;

// In which operators a kernel runs.
const kOperators = {
  MaskedSgd: ['masked_sgd_'],
  MaskedAdam: ['masked_adam_'],
  LtpGate: ['ltp_gate_'],
  LtpStep: ['ltp_step_'],
  ScoreApply: ['score_apply_'],
  ScoreAdam: ['score_adam_'],
  AdmmPenalty: ['admm_penalty_'],
  AdmmShrink: ['admm_shrink_'],
  AdmmProject: ['admm_keep_'],
  AdmmDual: ['admm_dual_'],
  Statistics: ['statistics'],
  CountNotFinite: ['raise_if_not_finite_'],
  AdamAdvance: ['masked_adam_', 'score_adam_'],
  LtpThresholdStep: ['ltp_step_'],
  LtpCap: ['ltp_gate_'],
  RaiseFlag: ['raise_if_not_finite_'],
  addPartialsKernel: ['ltp_step_', 'statistics'],
  countBelowKernel: ['select_lowest_between'],
  keepNOfMKernel: ['select_n_of_m'],
  clearNotANumber: ['select_n_of_m'],
};
const kSelection = ['select_lowest', 'select_lowest_each', 'select_lowest_between', 'admm_keep_'];

export async function writeKernelTable(tools) {
  const traffic = await readTraffic(tools.folder);
  const kernels = merge(await readKernels(tools.folder), traffic);
  const runs = JSON.parse(fs.readFileSync(inRoot('docs/cuda-runs.json'), 'utf8'));
  for (const kernel of kernels) kernel.ran = lastRun(kernel.name, runs);
  const facts = { cuda: tools.cuda.release, kernels };
  fs.writeFileSync(inRoot('docs/cuda.json'), `${JSON.stringify(facts, null, 2)}\n`);
  const page = inRoot('docs/cuda.md');
  const before = fs.readFileSync(page, 'utf8');
  const marks = /<!-- kernels -->[\s\S]*<!-- \/kernels -->/;
  fs.writeFileSync(
    page,
    before.replace(marks, () => `<!-- kernels -->\n${table(facts)}\n<!-- /kernels -->`),
  );
  console.log(`Written: docs/cuda.md and docs/cuda.json (${kernels.length} kernels)`);
}

async function readTraffic(folder) {
  const { stdout } = await must('Asking the functors', path.join(folder, 'espalier_cuda_traffic'), []);
  return JSON.parse(stdout);
}

// The build's commands once more, with ptxas telling what it did.
async function readKernels(folder) {
  const commands = JSON.parse(fs.readFileSync(path.join(folder, 'compile_commands.json'), 'utf8'));
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-ptxas-'));
  const queue = commands.filter((entry) => entry.file.endsWith('.cu'));
  const found = [];
  const worker = async () => {
    for (let entry = queue.shift(); entry; entry = queue.shift()) {
      const { command, file, directory } = entry;
      const args = command.split(/\s+/);
      const begin = args.findIndex((arg) => arg.endsWith('/nvcc'));
      const object = path.join(scratch, `${path.basename(file)}.o`);
      const asked = [...args.slice(begin + 1), '-Xptxas', '-v', '-o', object].filter((arg) => arg !== '-MD');
      const { output } = await must(`Compiling ${file}`, args[begin], dropOutput(asked), { cwd: directory });
      found.push(...(await parse(output)));
    }
  };
  await Promise.all([worker(), worker()]);
  fs.rmSync(scratch, { recursive: true });
  return found;
}

// The build's own -o, -MT and -MF, each with its value; the last -o is ours.
function dropOutput(args) {
  const last = args.lastIndexOf('-o');
  return args.filter((_, i) => {
    const isDropped = (at) => ['-MT', '-MF'].includes(args[at]) || (args[at] === '-o' && at !== last);
    return !isDropped(i) && !isDropped(i - 1);
  });
}

async function parse(output) {
  const pattern =
    /Compiling entry function '([^']+)' for 'sm_(\d+)'[\s\S]*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads[\s\S]*?Used (\d+) registers([^\n]*)/g;
  const found = [...output.matchAll(pattern)];
  const { stdout } = await must('Demangling', 'c++filt', [...new Set(found.map(([, name]) => name))]);
  const names = new Map(
    [...new Set(found.map(([, name]) => name))].map((name, i) => [name, stdout.split('\n')[i]]),
  );
  return found.map(([, mangled, architecture, , stores, loads, registers, rest]) => ({
    name: shorten(names.get(mangled)),
    architecture: `sm_${architecture}`,
    registers: Number(registers),
    shared: Number(/(\d+) bytes smem/.exec(rest)?.[1] ?? 0),
    spills: Number(stores) + Number(loads),
  }));
}

// 'void a::eachKernel<a::LtpStep<float, float> >(...)' is LtpStep<float, float>.
function shorten(name) {
  const plain = name.replaceAll(/espalier::kernels::(cuda::)?/g, '').replaceAll('> >', '>>');
  const [, kernel] = /^(?:void )?(.*?)\((?!anonymous)/.exec(plain);
  return /^(?:each|once)Kernel<(.*)>$/.exec(kernel)?.[1] ?? kernel;
}

function merge(entries, traffic) {
  const kernels = new Map();
  for (const { name, architecture, registers, shared, spills } of entries) {
    const kernel = kernels.get(name) ?? { name, ...bytesOf(name, traffic), compiled: {} };
    kernel.compiled[architecture] = { registers, shared, spills };
    kernels.set(name, kernel);
  }
  return [...kernels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function bytesOf(name, traffic) {
  const counted = traffic[`espalier::kernels::${name.replaceAll('Functor', '')}`];
  if (counted) return counted;
  const [, pass, type] = /^(\w+)<(.+)>$/.exec(name) ?? [];
  const size = { float: 4, double: 8, 'c10::Half': 2, 'c10::BFloat16': 2 }[type];
  if (['countDigits', 'countBelowKernel'].includes(pass)) return { read: size, written: 0 };
  if (['writeMasks', 'keepNOfMKernel'].includes(pass)) return { read: size, written: 1 };
  return {};
}

function lastRun(name, runs) {
  const stem = name.split('<')[0];
  const all = (kOperators[stem] ?? kSelection).map((operator) => runs[operator]).filter(Boolean);
  return all.sort((a, b) => (a.date < b.date ? 1 : -1))[0] ?? null;
}

function table({ cuda, kernels }) {
  const estimate = (bytes, card) => ((bytes * kWeights) / (kCards[card] * 1e9 * kShare)) * 1e3;
  const pair = (kernel, field) =>
    [...new Set(['sm_80', 'sm_90'].map((name) => kernel.compiled[name]?.[field] ?? '?'))].join(' / ');
  const rows = kernels.map((kernel) => {
    const bytes = kernel.read === undefined ? undefined : kernel.read + kernel.written;
    const times = Object.keys(kCards).map((card) => (bytes ? estimate(bytes, card).toFixed(2) : ''));
    const ran = kernel.ran ? `${kernel.ran.gpu}, ${kernel.ran.date}` : 'never';
    const figures = [pair(kernel, 'registers'), pair(kernel, 'shared'), pair(kernel, 'spills'), bytes ?? ''];
    return `| \`${kernel.name}\` | ${[...figures, ...times, ran].join(' | ')} |`;
  });
  return [
    `Compiled with CUDA ${cuda}; two numbers are sm_80 / sm_90.`,
    '',
    '| kernel | registers | shared memory, bytes | spills, bytes | bytes a weight | A100, ms (estimate) | H100, ms (estimate) | last ran on a GPU |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
