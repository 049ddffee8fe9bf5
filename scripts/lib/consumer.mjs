import fs from 'node:fs';
import path from 'node:path';
import * as packages from './packages.mjs';
import { inRoot, root } from './paths.mjs';
import { Problem } from './problem.mjs';
import { must } from './process.mjs';
import * as typescript from './typescript.mjs';

// A project in an empty folder that depends on the packed tarball. The checks run in this order, each on what
// the one before left; `source` holds the files of the project.
export function checks({ folder, source, libtorch }) {
  const env = { ...process.env, LIBTORCH: libtorch };
  const node = (what, ...args) =>
    must(what, process.execPath, args, { cwd: folder, env, deadlineMs: 120_000 });
  return [
    { title: 'the tarball holds what is published, and nothing else', body: () => pack(folder) },
    { title: 'it installs into an empty folder without a script', body: () => install(folder, source) },
    { title: 'import', body: () => node('import', 'use.mjs') },
    { title: 'require', body: () => node('require', 'use.cjs') },
    {
      title: 'command line',
      body: () => node('espalier --version', 'node_modules/espalier/dist/lib/cli/main.js', '--version'),
    },
    ...['node16', 'nodenext', 'bundler'].map((resolution) => ({
      title: `types under moduleResolution ${resolution}`,
      body: () => checkTypes(folder, resolution),
    })),
  ];
}

async function pack(folder) {
  const { stdout } = await npm(root, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
  const files = JSON.parse(stdout)[0].files.map((file) => file.path);
  const prebuilt = `prebuilds/${process.platform}-${process.arch}`;
  const needed = [
    'dist/lib/index.js',
    'dist/lib/index.d.ts',
    'native/core/error.h',
    'CMakeLists.txt',
    'LICENSE',
    `${prebuilt}/espalier.glibc.node`,
    `${prebuilt}/libespalier_ops.so`,
    `${prebuilt}/build-info.json`,
    `${prebuilt}/preload/espalier-preload.node`,
  ];
  const missing = needed.filter((file) => !files.includes(file));
  if (missing.length > 0) throw new Problem(`the tarball lacks ${missing.join(', ')}`);
  const strange = files.filter(
    (file) =>
      /^(dist\/(test|bench)|test|bench|data|build)\//.test(file) ||
      (/\.so(\.|$)/.test(file) && !needed.includes(file)),
  );
  if (strange.length > 0) throw new Problem(`the tarball should not hold ${strange.join(', ')}`);
}

async function install(folder, source) {
  const tarball = fs.readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (!tarball) throw new Problem(`there is no tarball in ${folder}`);
  fs.cpSync(source, folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  const { scripts } = JSON.parse(fs.readFileSync(inRoot('package.json'), 'utf8'));
  const hooks = ['preinstall', 'install', 'postinstall'].filter((name) => scripts[name]);
  if (hooks.length > 0) throw new Problem(`package.json has the install scripts ${hooks.join(', ')}`);
  await npm(folder, [
    'install',
    '--ignore-scripts',
    '--omit=dev',
    '--omit=optional',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    tarball,
  ]);
}

// Only nodenext knows that require() of an ES module works.
async function checkTypes(folder, resolution) {
  const project = path.join(folder, `tsconfig.${resolution}.json`);
  const compilerOptions = {
    target: 'ES2022',
    module: resolution === 'bundler' ? 'esnext' : resolution,
    moduleResolution: resolution,
    lib: ['ES2022', 'ESNext.Disposable'],
    types: ['node'],
    typeRoots: [inRoot('node_modules/@types')],
    strict: true,
    noEmit: true,
  };
  fs.writeFileSync(
    project,
    JSON.stringify({
      compilerOptions,
      files: ['types.mts', ...(resolution === 'nodenext' ? ['types.cts'] : [])],
    }),
  );
  await typescript.run(['-p', project], folder);
}

function npm(cwd, args) {
  const { command, args: first } = packages.findNpm(process.env);
  return must(`npm ${args[0]}`, command, [...first, ...args], { cwd, deadlineMs: 300_000 });
}
