import path from 'node:path';
import { inRoot, root } from './lib/paths.mjs';
import { main } from './lib/problem.mjs';
import { run } from './lib/process.mjs';
import { seconds } from './lib/steps.mjs';

// The stages of continuous integration. One that prints its own "N passed, N failed" counts with those
// numbers, any other as one test. A stage that the later ones stand on ends the run when it fails.
const stages = [
  { title: 'set-up and build with warnings as errors', args: ['setup.mjs'], isGround: true },
  { title: 'lint', args: ['lint.mjs', '--minutes', '5'] },
  { title: 'tests', args: ['test.mjs'] },
  { title: 'sanitizers', args: ['sanitize.mjs'] },
  { title: 'packed tarball', args: ['pack.mjs'] },
  { title: 'CUDA build', args: ['cuda.mjs'] },
];

const kStageMs = 25 * 60_000;

await main(async () => {
  const total = { passed: 0, failed: 0 };
  for (const stage of stages) {
    const { passed, failed } = await runStage(stage);
    total.passed += passed;
    total.failed += failed;
    if (failed > 0 && stage.isGround) break;
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed > 0 ? 1 : 0;
});

async function runStage({ title, args: [script, ...args] }) {
  console.log(`== ${title}`);
  const start = performance.now();
  let summary;
  const { code, timedOut } = await run(process.execPath, [path.join(inRoot('scripts'), script), ...args], {
    cwd: root,
    env: { ...process.env, CI: 'true', ESPALIER_WERROR: '1' },
    deadlineMs: kStageMs,
    onLine: (line) => {
      summary = /^(\d+) passed, (\d+) failed$/.exec(line) ?? summary;
      console.log(line);
    },
  });
  const counts = { passed: Number(summary?.[1] ?? 0), failed: Number(summary?.[2] ?? 0) };
  if (!summary && code === 0) counts.passed = 1;
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  const end = timedOut ? `ended after ${seconds(kStageMs)}` : seconds(performance.now() - start);
  console.log(`== ${title}: ${counts.failed > 0 ? 'FAILED' : 'ok'} (${end})`);
  return counts;
}
