import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type ChildResult, runChild } from '../support/child.js';
import { root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

// Attacks that change weights, as the pages type them.

const main = join(root, 'dist/lib/cli/main.js');
const folder = temporaryFolder();
const env = { ...process.env, ESPALIER_DATA: join(folder, 'samples'), XDG_CACHE_HOME: folder };

const espalier = (line: string): Promise<ChildResult> =>
  runChild(main, line.split(' '), { cwd: folder, env, deadlineMs: 110_000 });

async function done(line: string): Promise<string> {
  const result = await espalier(line);
  assert.is(result.code, 0, `${line}\n${result.stderr}`);
  return result.stdout;
}

const sparsityOf = async (file: string) =>
  (JSON.parse(await done(`inspect ${file} --json`)) as { manifest: { sparsity?: number } }).manifest.sparsity;

test(
  'attacks on the command line say what they did, and save the attacked model',
  async () => {
    await done('data mnist --out samples --limit 300');
    await done(
      'train supervised --architecture convnet --widths 4,4 --input-size 28 --domain mnist --epochs 1 --out dense.pt',
    );
    await done('prune magnitude dense.pt --sparsity 0.5 --out locked.pt');

    const pruned = await done('attack prune locked.pt --domain mnist --sparsity 0.6,0.9 --out pruned.pt');
    assert.match(pruned, /Pruned to 90% its accuracy on mnist went from/);
    assert.match(pruned, /60% .*\n.*90% /);
    assert.ok(Math.abs(((await sparsityOf('pruned.pt')) ?? 0) - 0.9) < 1e-3);

    const rounded = await done('attack quantize locked.pt --domain mnist --bits 8,4 --out rounded.pt');
    assert.match(rounded, /Rounded to 4 bits its accuracy on mnist went from/);
    assert.ok(((await sparsityOf('rounded.pt')) ?? 0) >= 0.499);
    const wrong = await espalier('attack quantize locked.pt --domain mnist --bits 8,1 --out no.pt');
    assert.equal([wrong.code, existsSync(join(folder, 'no.pt'))], [2, false]);
    assert.match(wrong.stderr, /--bits/);

    const guessed = await done(
      'attack mask-guess locked.pt --domain mnist --refill he --tries 3 --out guessed.pt',
    );
    assert.match(guessed, /The best of 3 guesses: its accuracy on mnist went from/);
    assert.is(await sparsityOf('guessed.pt'), 0);

    await done('key owner.key');
    const overwritten = await done(
      'attack overwrite dense.pt --domain mnist --key owner.key --steps 4 --patch.cell 7 --out taken.pt --out-key own.key',
    );
    assert.match(overwritten, /Bound once more, to a key of the attacker: its accuracy on mnist went from/);
    assert.match(overwritten, /The owner's pattern .*\n.*The attacker's pattern /);
    await done('authorize verify-ownership taken.pt own.key --domain mnist --patch.cell 7 --samples 20');
  },
  { timeoutMs: 240_000 },
);

test.run();
