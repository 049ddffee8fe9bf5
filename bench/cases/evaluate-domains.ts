import { createHash } from 'node:crypto';
import { evaluate } from '../../lib/index.js';
import { asked, tell, timed } from '../trial.js';
import { looks, stripes } from './data.js';
import { freshNets } from './digits.js';

// Three networks on four domains; each cell with all figures that evaluate.accuracy has.
const { threads, device, size } = asked();
const models = await freshNets('convnet', [1, 2, 3]);
const count = size === 'full' ? 8192 : 2048;
const all = await Promise.all(Array.from({ length: looks }, (_, look) => stripes(count, look)));
const digest = createHash('sha256');
for (const { data } of all) digest.update(data);
const domains = all.map(({ domain }) => domain);
const first = models[0];
if (first === undefined) throw new Error('expected a network, found none');
await evaluate.accuracy(first, { domain: (await stripes(256)).domain, threads, device });
const { ms, result } = await timed(() => evaluate.domains(models, domains, { seed: 1, threads, device }));
const { report } = result;
const right = report.figures.cells
  .flat()
  .reduce((sum, { accuracy, samples }) => sum + Math.round(accuracy * samples), 0);
tell(ms, right, report, digest.digest('hex'));
