// One phase in a process of its own, so that none inherits the memory of another: NAME COUNT SEED SECONDS. Prints what was measured.

import type { Work } from './measure.js';
import { dropped } from './phases/dropped.js';
import { cycles, forgotten } from './phases/handles.js';
import { jobs } from './phases/jobs.js';
import { together } from './phases/together.js';
import { workers } from './phases/workers.js';

const phases: { [name: string]: (work: Work) => Promise<object> } = {
  jobs,
  cycles,
  forgotten,
  workers,
  together,
  dropped,
};

const [name = '', count, seed, seconds] = process.argv.slice(2);
const deadline = performance.now() + Number(seconds) * 1000;
const measured = await phases[name]!({ count: Number(count), seed: Number(seed), deadline });
console.log(JSON.stringify(measured));
