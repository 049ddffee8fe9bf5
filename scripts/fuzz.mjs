import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { inRoot } from './lib/paths.mjs';
import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main, Problem } from './lib/problem.mjs';
import { buildSanitized, damagedEnvironment, home } from './lib/sanitized.mjs';

const kHelp = `npm run fuzz [-- OPTIONS]: opens damaged files in processes of their own and writes what came of it to
docs/reliability/fuzz.json; ends with 1 where one crashed, hung, or took more memory than it may

  --count N       files, in equal parts of each format (20000)
  --minutes N     the time that it may take; without it, as long as it takes
  --seed S        of the damage (1)
  --format NAME   only that format
  --processes N   at once (1)
  --sanitize      with the sanitizers of npm run sanitize in the processes; to docs/reliability/fuzz-sanitized.json
  --index N       only that file of --format, kept in build/fuzz; nothing is written`;

await main(async () => {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '20000' },
      minutes: { type: 'string' },
      seed: { type: 'string', default: '1' },
      format: { type: 'string' },
      index: { type: 'string' },
      processes: { type: 'string', default: '1' },
      sanitize: { type: 'boolean', default: false },
    },
  });
  const tools = await ensureTools();
  await ensureNative(tools);
  await ensureTypeScript();
  if (values.sanitize) await buildSanitized(tools);
  const { formats, fuzz, record, show } = await import('../dist/reliability/fuzz/index.js');
  const chosen = formats.filter(({ name }) => values.format === undefined || values.format === name);
  if (chosen.length === 0)
    throw new Problem(`expected --format to be one of ${formats.map(({ name }) => name).join(', ')}`);
  const options = {
    formats: chosen,
    count: number(values, 'count'),
    seed: number(values, 'seed'),
    processes: number(values, 'processes'),
    findings: inRoot('build/fuzz'),
    ...(values.sanitize && { child: { package: home, env: await damagedEnvironment(tools) } }),
    ...(values.minutes === undefined ? {} : { minutes: number(values, 'minutes') }),
    onDone: (done, all) => done % 500 === 0 && console.log(`  ${done} of ${all}`),
  };
  if (values.index !== undefined) {
    if (chosen.length > 1) throw new Problem('expected --format with --index');
    console.log(await show(options, number(values, 'index')));
    return 0;
  }
  const result = await fuzz(options);
  const name = values.sanitize ? 'fuzz-sanitized' : 'fuzz';
  const file = inRoot('docs/reliability', `${name}.json`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(await record(result, options), null, 2)}\n`);
  print(result);
  return result.findings.length > 0 ? 1 : 0;
}, kHelp);

function number(values, name) {
  const value = Number(values[name]);
  if (!(value >= 0)) throw new Problem(`expected a number for --${name}, received ${values[name]}`);
  return value;
}

function print({ counts, findings, seconds }) {
  for (const [format, outcomes] of Object.entries(counts)) {
    const all = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
    console.log(`${format.padEnd(12)} ${all.map(([outcome, count]) => `${outcome} ${count}`).join(', ')}`);
  }
  for (const { format, index, kind, detail, kept } of findings)
    console.log(
      `FOUND ${kind}: ${format} ${index}, kept in ${path.relative(inRoot('.'), kept)}\n  ${detail}`,
    );
  const total = Object.values(counts)
    .flatMap((of) => Object.values(of))
    .reduce((a, b) => a + b, 0);
  console.log(`${total} files in ${seconds.toFixed(0)} s, ${findings.length} findings`);
}
