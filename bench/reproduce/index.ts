import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Domain, evaluate, Model } from '../../lib/index.js';
import { ltp } from './ltp.js';
import { map, mapNorms } from './map.js';
import { ntl, ntlNorms } from './ntl.js';
import { ntp, ntpOptions, ntpTerms } from './ntp.js';
import { type Context, machine, type Reproduction } from './reproduction.js';

const reproductions: { [name: string]: (context: Context) => Promise<Reproduction> } = {
  ltp,
  ntp,
  'ntp-terms': ntpTerms,
  'ntp-options': ntpOptions,
  ntl,
  'ntl-norms': ntlNorms,
  map,
  'map-norms': mapNorms,
};

/** npm run reproduce -- NAME [--seeds 1,2,3] [--out FOLDER]: writes NAME.json; the number of claims that fail. */
export async function reproduce(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '1,2,3' },
      out: { type: 'string', default: 'docs/reproduction' },
    },
  });
  const [name = ''] = positionals;
  const run = reproductions[name];
  if (run === undefined || positionals.length > 1) {
    throw new Error(
      `expected one of ${Object.keys(reproductions).join(', ')}, received ${positionals.join(' ') || 'none'}`,
    );
  }
  const seeds = values.seeds.split(',').map(Number);
  if (!seeds.every(Number.isSafeInteger))
    throw new Error(`expected whole numbers for --seeds, received ${values.seeds}`);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-reproduce-'));
  const start = performance.now();
  try {
    const result = await run({ seeds, folder, log: (line) => console.log(line) });
    for (const { holds, isGoal, text, measured } of result.claims)
      console.log(`${holds ? 'holds' : isGoal ? 'goal ' : 'FAILS'}  ${text}\n       ${measured}`);
    fs.mkdirSync(values.out, { recursive: true });
    const facts = {
      name,
      seeds,
      seconds: Math.round((performance.now() - start) / 1000),
      machine: await environment(result.domains),
    };
    fs.writeFileSync(
      path.join(values.out, `${name}.json`),
      `${JSON.stringify({ ...facts, ...result }, null, 2)}\n`,
    );
    return result.claims.filter(({ holds, isGoal }) => !holds && !isGoal).length;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

// Versions come from a report: any that this process makes has them. The digests of the samples as well.
async function environment(domains: string[]) {
  const data: { [name: string]: unknown } = {};
  let versions: Awaited<ReturnType<typeof digestOf>>['versions'] | undefined;
  for (const name of domains) {
    const told = await digestOf(name);
    versions = told.versions;
    data[name] = told.domain;
  }
  if (versions === undefined) throw new Error('expected a reproduction to name its domains, found none');
  return { ...machine({ versions }), data };
}

async function digestOf(name: string) {
  const domain = await Domain.sample(name as Parameters<typeof Domain.sample>[0], { channels: 3, size: 32 });
  const model = await Model.create('lenet5', { classes: 10, inChannels: 3, inputSize: 32, seed: 0 });
  const { report } = await evaluate.accuracy(model, { domain });
  return { versions: report.versions, domain: (report.inputs as { [name: string]: unknown }).domain };
}
