// Makes and forgets model handles of 4 MB each; the garbage collector must learn of their weight.
import { Model } from '../../../lib/model.js';

const kHandles = 300;
const megabytes = () => process.memoryUsage.rss() / 1e6;

const make = () => Model.create('convnet', { classes: 10, widths: [128, 320, 256], seed: 1 });
const first = await make();
const weight = first.parameters.reduce((sum, { count }) => sum + 4 * count, 0) / 1e6;
const before = megabytes();
let peak = before;
for (let i = 0; i < kHandles; i++) {
  await first.clone();
  peak = Math.max(peak, megabytes());
}
gc?.();
await new Promise((resolve) => setTimeout(resolve, 200));
console.log(JSON.stringify({ handles: kHandles, weight, before, peak, after: megabytes() }));
