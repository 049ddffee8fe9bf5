import fs from 'node:fs';
import path from 'node:path';
import { run, which } from './process.mjs';

// nvcc, for the CUDA kernels: { nvcc, release } where they can be built with this libtorch, else { problem }.
export async function findCuda(libtorch, env = process.env) {
  if (libtorch.variant !== 'cuda') {
    return {
      problem: `libtorch ${libtorch.version} in ${libtorch.root} has no CUDA; set LIBTORCH to one that has (the CUDA wheel of torch in a virtual environment of its own: LIBTORCH=.../site-packages/torch)`,
    };
  }
  const wanted = cudaOf(libtorch.root);
  const given = findNvcc(env);
  if (!given) {
    return {
      problem: `nvcc was not found (looked at CUDACXX, CUDA_HOME, PATH and /usr/local/cuda); install the CUDA toolkit${wanted ? ` ${wanted}` : ''}, or set CUDACXX to its nvcc`,
    };
  }
  const { nvcc, release } = await inspect(given, env);
  if (!release)
    return {
      problem: `${given} does not run ('nvcc --version' says no release); repair it, or set CUDACXX to another`,
    };
  if (wanted && major(wanted) !== major(release)) {
    return {
      problem: `${given} is of CUDA ${release}, and libtorch ${libtorch.version} of CUDA ${wanted}; install CUDA ${major(wanted)}, or set CUDACXX to its nvcc`,
    };
  }
  return { nvcc, release };
}

const major = (release) => release.split('.')[0];

// Which CUDA a wheel was built with; an archive does not say.
function cudaOf(root) {
  const file = path.join(root, 'version.py');
  if (!fs.existsSync(file)) return undefined;
  return /^cuda\b[^=]*= '([\d.]+)'/m.exec(fs.readFileSync(file, 'utf8'))?.[1];
}

function findNvcc(env) {
  const homes = [env.CUDA_HOME, env.CUDA_PATH].filter(Boolean).map((home) => path.join(home, 'bin/nvcc'));
  const names = env.CUDACXX ? [env.CUDACXX] : [...homes, 'nvcc', '/usr/local/cuda/bin/nvcc'];
  return names.map((name) => which(name, env)).find(Boolean);
}

// The nvcc on PATH may be a wrapper that stands elsewhere: a dry run tells where the toolkit is.
async function inspect(given, env) {
  const [version, dry] = await Promise.all([
    run(given, ['--version'], { env }),
    run(given, ['--dryrun', '-c', 'nothing.cu'], { env }),
  ]);
  const release = /release (\d+\.\d+)/.exec(version.output)?.[1];
  const here = /^#\$ _HERE_=(.+)$/m.exec(dry.output)?.[1];
  return { nvcc: (here && which(path.join(here, 'nvcc'), env)) ?? given, release };
}
