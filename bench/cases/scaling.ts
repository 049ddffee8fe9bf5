// How the time of loading, of a training step and of the graph's discovery grows.
import { configure, Dataset, Domain, Model, train } from '../../lib/index.js';
import { quantile } from '../statistics.js';
import { asked, timed } from '../trial.js';
import { writeChain } from './digits.js';

const kStepsLong = 24;
const kStepsShort = 8;
const kRounds = 3;
const { threads: most, device } = asked();

const millisecondsOf = async (work: () => Promise<unknown>) => (await timed(work)).ms;

async function reading(work: () => Promise<number>): Promise<number[]> {
  await work();
  const rounds: number[] = [];
  for (let i = 0; i < kRounds; i++) rounds.push(await work());
  return rounds;
}

/** Loading finds the layers; asking for them does no more. */
async function loading(layers: number): Promise<number[]> {
  return await writeChain(layers, (file) =>
    reading(() =>
      millisecondsOf(async () => {
        const model = await Model.load(file);
        await model.inspect();
        model.dispose();
      }),
    ),
  );
}

async function noise(count: number, classes: number): Promise<Domain> {
  const data = new Uint8Array(count * 3 * 32 * 32).map((_, i) => (i * 2654435761) >>> 24);
  const labels = Array.from({ length: count }, (_, i) => i % classes);
  const all = await Dataset.from({ data, shape: [count, 3, 32, 32], labels, classes });
  const few = await Dataset.from({
    data: data.subarray(0, 2 * 3 * 32 * 32),
    shape: [2, 3, 32, 32],
    labels: labels.slice(0, 2),
    classes,
  });
  return await Domain.open({ name: 'noise', fit: all, select: few });
}

/** Milliseconds a step: the difference between a longer run and a shorter one. */
async function training(batchSize: number, classes: number, threads: number): Promise<number[]> {
  const model = await Model.create('convnet', { classes, widths: [16, 32, 64], seed: 1 });
  const domainOf = (steps: number) => noise(steps * batchSize, classes);
  const [long, short] = [await domainOf(kStepsLong), await domainOf(kStepsShort)];
  const epoch = (domain: Domain) =>
    millisecondsOf(() => train.supervised(model, { domain, epochs: 1, batchSize, seed: 1, threads, device }));
  return await reading(async () => ((await epoch(long)) - (await epoch(short))) / (kStepsLong - kStepsShort));
}

/** Two trainings of small batches: side by side on a thread each, and one after the other on all threads. */
async function twoTrainings(): Promise<Record<string, number>> {
  const model = await Model.create('convnet', { classes: 10, widths: [16, 32, 64], seed: 1 });
  const domain = await noise(512, 10);
  const start = (threads: number) =>
    train.supervised(model, { domain, epochs: 1, batchSize: 16, seed: 1, threads, device });
  await configure({ concurrentRuns: 2 });
  const beside = quantile(await reading(() => millisecondsOf(() => Promise.all([start(1), start(1)]))), 0.5);
  await configure({ concurrentRuns: 1 });
  const after = quantile(
    await reading(() => millisecondsOf(() => Promise.all([start(most), start(most)]))),
    0.5,
  );
  return {
    'two trainings side by side, 1 thread each, ms': beside,
    [`two trainings in turn, ${most} threads each, ms`]: after,
  };
}

async function points(sizes: number[], roundsOf: (size: number) => Promise<number[]>) {
  const found: { x: number; rounds: number[] }[] = [];
  for (const x of sizes) found.push({ x, rounds: await roundsOf(x) });
  return found;
}

const series: object[] = [
  {
    title: 'loading a model and finding its layers',
    x: 'layers',
    threads: 1,
    points: await points([10, 30, 100, 300, 1000], loading),
  },
];
for (let threads = 1; threads <= most; threads++) {
  series.push({
    title: 'a training step of a convnet',
    x: 'images a batch',
    threads,
    points: await points([8, 32, 128, 512], (batch) => training(batch, 10, threads)),
  });
}
series.push({
  title: 'a training step of a convnet, 32 images',
  x: 'classes',
  threads: most,
  points: await points([10, 100, 1000, 10000], (classes) => training(32, classes, most)),
});
const figures = await twoTrainings();
console.log(JSON.stringify({ series, figures, versions: { node: process.version }, seed: 1 }));
