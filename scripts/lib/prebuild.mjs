import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { install } from './native.mjs';
import { inRoot, operators, preload } from './paths.mjs';
import { step } from './steps.mjs';

// What is published: prebuilds/<platform>-<arch>/espalier.glibc.node. prebuildify names and strips it; the
// build itself is ours (node-gyp would empty build/), so that it is given one that is done already. The
// preloader stands one folder deeper, where node-gyp-build does not take it for the addon; the operators' library
// stands beside the addon, which links it.
export async function prebuild(tools) {
  const stage = inRoot('build/prebuild');
  const folder = inRoot('prebuilds', `${process.platform}-${process.arch}`);
  await step(`Making ${path.relative(inRoot(), folder)}`, async () => {
    for (const old of [stage, folder]) fs.rmSync(old, { recursive: true, force: true });
    await install(tools, path.join(stage, 'build/Release'));
    fs.copyFileSync(inRoot('package.json'), path.join(stage, 'package.json'));
    const prebuildify = createRequire(import.meta.url)('prebuildify');
    await new Promise((resolve, reject) => {
      const options = {
        cwd: stage,
        out: inRoot(),
        napi: true,
        strip: true,
        tagLibc: true,
        nodeGyp: 'true',
        quiet: true,
      };
      prebuildify(options, (error) => (error ? reject(error) : resolve()));
    });
    fs.copyFileSync(
      path.join(stage, 'build/Release', path.basename(operators)),
      path.join(folder, path.basename(operators)),
    );
    fs.mkdirSync(path.join(folder, 'preload'));
    fs.copyFileSync(preload, path.join(folder, 'preload', path.basename(preload)));
    // Where libtorch was on the machine that built it is nobody's business.
    const { libtorch: _, ...info } = JSON.parse(
      fs.readFileSync(inRoot('build/Release/build-info.json'), 'utf8'),
    );
    fs.writeFileSync(path.join(folder, 'build-info.json'), `${JSON.stringify(info, null, 2)}\n`);
  });
}
