import fs from 'node:fs';
import { drawBenchmarks } from './lib/benchmarkPlots.mjs';
import { mergeBenchmarks, renderBenchmarks, renderShort } from './lib/benchmarks.mjs';
import { inRoot } from './lib/paths.mjs';
import { ensureNative, ensurePackages, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

const kHelp = `npm run bench [-- NAME ...] [options]: races against PyTorch, and readings of us alone

  --full             larger grids, and the races and readings that the short form leaves out because it has another of
                     their kind, without a limit on time; the short form takes under 40 minutes
  --trials N         of each side; by default 7 where a side takes under 10 s, 3 above
  --threads N        of both sides; by default the machine's cores, 2 at most
  --device cuda      the same on a GPU; without one it says so and ends
  --out FILE         where the JSON goes (bench.json)
  --publish          writes docs/benchmarks.json, and from it docs/benchmarks.md, the pictures and the README's table;
                     what did not run keeps its figures, other machines' stand behind those of the one that measured most
  --render           only writes these from docs/benchmarks.json`;

await main(async () => {
  const args = process.argv.slice(2);
  const json = inRoot('docs/benchmarks.json');
  const read = () => (fs.existsSync(json) ? JSON.parse(fs.readFileSync(json, 'utf8')) : undefined);
  const isRendered = args.includes('--render');
  const isPublished = args.includes('--publish');
  await ensurePackages();
  if (!isRendered) {
    await ensureNative(await ensureTools());
    await ensureTypeScript();
    const before = isPublished ? read() : undefined;
    const { bench } = await import('../dist/bench/bench.js');
    const keep = (now) => write(json, `${JSON.stringify(mergeBenchmarks(before, now), null, 2)}\n`);
    const failed = await bench(
      args.filter((arg) => arg !== '--publish'),
      isPublished ? keep : undefined,
    );
    if (isPublished) await render(read());
    return failed > 0 ? 1 : 0;
  }
  await ensureTypeScript();
  await render(read());
}, kHelp);

function write(file, text) {
  fs.writeFileSync(`${file}.part`, text);
  fs.renameSync(`${file}.part`, file);
}

async function render(all) {
  const pictures = Object.entries(await drawBenchmarks(all));
  for (const [name, svg] of pictures) fs.writeFileSync(inRoot(`docs/images/${name}.svg`), svg);
  fs.writeFileSync(inRoot('docs/benchmarks.md'), renderBenchmarks(all, pictures.length > 0));
  const readme = fs.readFileSync(inRoot('README.md'), 'utf8');
  const after = readme.replace(
    /<!-- benchmarks -->[\s\S]*?<!-- \/benchmarks -->/,
    () => `<!-- benchmarks -->\n${renderShort(all)}\n<!-- /benchmarks -->`,
  );
  if (after !== readme) fs.writeFileSync(inRoot('README.md'), after);
}
