import type { Command } from 'commander';
import { sampleFolders, sampleNames } from '../../data/index.js';
import { type Diagnosis, doctor } from '../../doctor.js';
import type { Facts } from '../../report/blocks.js';
import { blocksToText } from '../../report/text.js';
import { exists } from '../outputs.js';
import { exitCodes } from '../usage.js';

export function addDoctor(command: Command): void {
  command
    .description('Shows versions, where libtorch was found, devices and threads, and what to repair.')
    .option('--json', 'The same as JSON.')
    .option('--verbose', 'Show the stack of an error.')
    .action(async ({ json }: { json?: boolean }) => {
      const diagnosis = await doctor();
      const samples = await findSamples();
      process.stdout.write(
        json ? `${JSON.stringify({ ...diagnosis, samples }, null, 2)}\n` : show(diagnosis, samples),
      );
      process.exitCode = diagnosis.problems.length === 0 ? exitCodes.done : exitCodes.failed;
    });
}

type Samples = { [name: string]: string | null };

async function findSamples(): Promise<Samples> {
  const found: Samples = {};
  for (const name of sampleNames) {
    found[name] = null;
    for (const folder of sampleFolders()) {
      if (found[name] === null && (await exists(`${folder}/${name}/domain.json`)))
        found[name] = `${folder}/${name}`;
    }
  }
  return found;
}

function show(diagnosis: Diagnosis, samples: Samples): string {
  const { node, platform, addon, libtorch, runtime, problems } = diagnosis;
  const facts = (title: string, values: { [label: string]: string | undefined }): Facts => ({
    kind: 'facts',
    title,
    entries: Object.entries(values).map(([label, value]) => ({ label, value: value ?? 'not found' })),
  });
  const build = addon?.buildInfo;
  const { found, places } = libtorch;
  const blocks = [
    facts('Machine', { Node: node, Platform: platform }),
    facts('Addon', {
      File: addon?.file,
      ...(build === undefined
        ? {}
        : { Version: build.version, 'Built with': `libtorch ${build.torch}, ${build.variant}` }),
    }),
    facts('libtorch', {
      Found: found === undefined ? undefined : `${found.version} in ${found.root} (by ${found.from})`,
      ...Object.fromEntries(
        places
          .filter(({ problem }) => problem !== undefined)
          .map(({ from, problem }) => [`Not by ${from}`, problem]),
      ),
    }),
    ...(runtime === undefined
      ? []
      : [
          facts('Runtime', {
            libtorch: runtime.libtorch,
            Devices: runtime.devices.join(', '),
            Cores: String(runtime.cores),
            Threads: `${runtime.threadsPerRun} a run, ${runtime.concurrentRuns} at a time`,
          }),
        ]),
    facts(
      'Sample domains',
      Object.fromEntries(
        Object.entries(samples).map(([name, folder]) => [
          name,
          folder ?? `not made: npx espalier data ${name}`,
        ]),
      ),
    ),
    facts(
      problems.length === 0 ? 'Everything works' : 'To repair',
      Object.fromEntries(problems.map((problem, i) => [String(i + 1), problem])),
    ),
  ];
  return blocksToText(blocks);
}
