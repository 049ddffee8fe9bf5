import { basename } from 'node:path';
import { type AnyReport, renderTable, saveReport } from '../report/index.js';
import { isObject } from '../report/report.js';
import type { AnyMethod } from '../schema/method.js';
import type { Flag } from './flags.js';
import { type HandleInput, handleInputs, isWord, openDomain, openFiles } from './handles.js';
import type { Creation, ImageShape, Library, Savable } from './library.js';
import { checkOutputs, exists, removeCheckpoints } from './outputs.js';
import { Interruption, interruptible } from './signals.js';
import { makeDisplay, writeLine } from './terminal.js';
import { exitCodes, misused, quoted, UsageError } from './usage.js';

type Tree = { [key: string]: unknown };

/** A method with everything that the command line says about it. */
export interface MethodRequest {
  method: AnyMethod;
  files: { input: HandleInput; names: string[] }[];
  flags: readonly Flag[];
  /** The method's own options, and the names of its domains and further files. */
  tree: Tree;
  run: Tree;
  /** Where each output is saved. */
  outputs: { [name: string]: string };
  report?: string;
  trust: boolean;
  json: boolean;
  /** A fresh model stands in the place of the first file. */
  creation?: Tree;
}

interface CheckpointPlan {
  options: { path: string; keep?: number };
  /** Nobody named it, so it goes when the run is done. */
  isDefault: boolean;
}

/** Opens the inputs, runs the method, saves what it returns; the exit code. */
export async function runMethod(request: MethodRequest, library: Library): Promise<number> {
  await checkOutputs(Object.values(request.outputs), request.report);
  const checkpoint = await planCheckpoint(request);
  return await interruptible(async (signal) => {
    try {
      const result = await start(request, library, checkpoint, signal);
      await finish(request, result);
      if (checkpoint?.isDefault)
        await removeCheckpoints(checkpoint.options.path, checkpoint.options.keep ?? 2);
      return exitCodes.done;
    } catch (error) {
      if (!(error instanceof Interruption)) {
        await tellWhatIsLeft(checkpoint);
        throw error;
      }
      await tellInterruption(request, checkpoint, error);
      return error.exitCode;
    }
  });
}

// What is left of an earlier run is never written over unasked: it may be hours of work.
async function planCheckpoint({ run, outputs }: MethodRequest): Promise<CheckpointPlan | undefined> {
  const given = run.checkpoint as CheckpointPlan['options'] | undefined;
  const [out] = Object.values(outputs);
  if (given?.path !== undefined) return { options: given, isDefault: false };
  if (out === undefined) {
    if (given === undefined) return undefined;
    throw misused('a file name', '--checkpoint', undefined);
  }
  const path = `${out}.checkpoint`;
  if (run.resume === undefined && (await exists(path))) {
    throw new UsageError(
      `${path} is left from a run that did not end: add --resume ${quoted(path)} to go on from it, or remove it`,
    );
  }
  return { options: { ...given, path }, isDefault: true };
}

async function start(
  request: MethodRequest,
  library: Library,
  checkpoint: CheckpointPlan | undefined,
  signal: AbortSignal,
) {
  const { method, run } = request;
  const { inputs, options } = await openInputs(request, library);
  signal.throwIfAborted();
  const running = method.start(inputs, {
    ...options,
    ...run,
    ...(checkpoint === undefined ? {} : { checkpoint: checkpoint.options }),
    signal,
  });
  const display = makeDisplay(request.json);
  try {
    for await (const progress of running) display.update(progress);
    return await running;
  } finally {
    display.stop();
  }
}

async function openInputs(
  request: MethodRequest,
  library: Library,
): Promise<{ inputs: Tree; options: Tree }> {
  const { method, files, flags, trust } = request;
  const opening = { device: (request.run.device as string | undefined) ?? 'cpu', trust };
  const opened = new Map<string, unknown>();
  for (const { input, names } of files) {
    const handles = await openFiles(names, input.noun, library, opening);
    opened.set(input.key, input.list ? handles : handles[0]);
  }
  const named = [...handleInputs(method.inputs), ...handleInputs(method.options)].filter(
    ({ key }) => request.tree[key] !== undefined,
  );
  const images = await imagesOf(request, library, [...opened.values()].flat());
  const options: Tree = { ...request.tree };
  for (const input of named) {
    const flag = flags.find(({ path }) => path.length === 1 && path[0] === input.key) as Flag;
    const names = [request.tree[input.key]].flat() as string[];
    const handles: unknown[] = [];
    for (const name of names) {
      if (isWord(flag.field, name)) handles.push(name);
      else if (input.noun === 'Domain') handles.push(await openDomain(name, flag.name, library, images));
      else handles.push(await library.open(input.noun, name, opening));
    }
    options[input.key] = input.list ? handles : handles[0];
  }
  if (request.creation !== undefined) {
    const [key] = Object.keys(method.inputs) as [string];
    opened.set(key, await library.create(creationFor(request, Object.values(options))));
  }
  const inputs: Tree = Object.fromEntries(opened);
  for (const key of Object.keys(method.inputs)) {
    if (key in options) inputs[key] = options[key];
    delete options[key];
  }
  return { inputs, options: withLabels(request, options) };
}

async function imagesOf(
  { creation }: MethodRequest,
  library: Library,
  handles: unknown[],
): Promise<ImageShape | undefined> {
  if (creation === undefined) return await library.imagesOf(handles);
  return {
    channels: (creation.inChannels as number | undefined) ?? 3,
    size: (creation.inputSize as number | undefined) ?? 32,
  };
}

function creationFor({ creation, run }: MethodRequest, handles: unknown[]): Creation {
  const classes = handles
    .map((handle) => (isObject(handle) ? handle.classes : undefined))
    .find((n) => typeof n === 'number');
  return {
    ...(classes === undefined ? {} : { classes }),
    seed: (run.seed as number | undefined) ?? 0,
    ...creation,
  } as Creation;
}

// Models that come from files are called by their files.
function withLabels({ method, files }: MethodRequest, options: Tree): Tree {
  const list = files.find(({ input }) => input.list && input.noun === 'Model');
  if (!('labels' in method.options) || options.labels !== undefined || list === undefined) return options;
  const short = list.names.map((name) => basename(name).replace(/\.\w+$/, ''));
  return { ...options, labels: new Set(short).size === short.length ? short : list.names };
}

async function finish(
  { outputs, report: path, json }: MethodRequest,
  result: { [name: string]: unknown; report: AnyReport },
): Promise<void> {
  const { report } = result;
  for (const [name, file] of Object.entries(outputs)) await (result[name] as Savable).save(file);
  if (path !== undefined) await saveReport(path, report);
  if (json) writeLine({ type: 'result', outputs, report });
  else process.stdout.write(renderTable(report));
  for (const file of [...Object.values(outputs), ...(path === undefined ? [] : [path])])
    tell(`Saved ${file}`);
}

async function tellInterruption(
  { run, json }: MethodRequest,
  checkpoint: CheckpointPlan | undefined,
  { signalName }: Interruption,
): Promise<void> {
  const path = checkpoint?.options.path;
  const resumable = path !== undefined && (await exists(path));
  if (json) writeLine({ type: 'interrupted', signal: signalName, checkpoint: resumable ? path : null });
  if (!resumable) return tell('Stopped.');
  tell(
    `Stopped. Go on with:\n  ${resumeCommand(process.argv.slice(2), path, run.resume as string | undefined)}`,
  );
}

async function tellWhatIsLeft(checkpoint: CheckpointPlan | undefined): Promise<void> {
  const path = checkpoint?.options.path;
  if (path !== undefined && (await exists(path)))
    tell(`The last checkpoint is ${path}; --resume goes on from it.`);
}

function resumeCommand(argv: string[], path: string, resumed: string | undefined): string {
  const kept = argv.filter((word, i) => {
    const isFlag = word === '--resume' || word.startsWith('--resume=');
    return !isFlag && !(argv[i - 1] === '--resume' && word === resumed);
  });
  return ['espalier', ...kept, '--resume', path].map(quoted).join(' ');
}

const tell = (line: string) => {
  process.stderr.write(`${line}\n`);
};
