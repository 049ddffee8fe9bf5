import { Argument, type Command, Option } from 'commander';
import { describeFields } from '../schema/descriptor.js';
import type { AnyMethod } from '../schema/method.js';
import { runOptions } from '../schema/runOptions.js';
import { creationFields } from './creation.js';
import { addFlags, type Flag, flagsOf, readFlags } from './flags.js';
import { handleInputs, isFile } from './handles.js';
import type { Library } from './library.js';
import { type MethodRequest, runMethod } from './runMethod.js';
import { kebab, misused, UsageError } from './usage.js';

const kCreates = 'train';
const own = ['out', 'report', 'trust', 'json', 'verbose', 'help'];

/** Makes `command` run `method`: its arguments, flags and help all come from the method's schema. */
export function addMethod(command: Command, method: AnyMethod, library: Library): void {
  const clash = Object.keys(method.options).find((key) => own.includes(key));
  if (clash !== undefined)
    throw new TypeError(`--${clash} belongs to the command line, not to ${method.name}`);
  const files = handleInputs(method.inputs).filter(isFile);
  const creates = method.name.startsWith(`${kCreates}.`) && files[0]?.noun === 'Model';
  command.summary(method.summary).description(`${method.summary}\n\nSource: ${method.source}`);
  files.forEach(({ key, list, required, description }, i) => {
    const words =
      creates && i === 0 ? `${description.replace(/\.$/, '')}; or none, with --architecture.` : description;
    const name = list ? `${kebab(key)}...` : kebab(key);
    command.addArgument(new Argument(required && !(creates && i === 0) ? `<${name}>` : `[${name}]`, words));
  });

  const handles = Object.entries(method.inputs).filter(([key]) => !files.some((file) => file.key === key));
  const flags = [...flagsOf(Object.fromEntries(handles)), ...flagsOf(method.options)];
  const given = addFlags(command, flags, 'Options of the method:');
  const creation = creates ? flagsOf(creationFields).map(optional) : [];
  const givenCreation = addFlags(command, creation, 'A fresh model in the place of a file:');
  const run = flagsOf(describeFields(runOptions))
    .filter(({ name }) => name !== '--checkpoint.path')
    .map(checkpointFile);
  const givenRun = addFlags(command, run, 'Options of every run:');
  const savable = Object.entries(method.outputs).filter(([, noun]) => library.saves(noun));
  addOutputOptions(command, savable);

  command.action(async (...all: unknown[]) => {
    const words = all.slice(0, files.length) as (string | string[] | undefined)[];
    const values = command.opts();
    const tree = readFlags(flags, given);
    const created = readFlags(creation, givenCreation);
    const request: MethodRequest = {
      method,
      files: files.flatMap((input, i) => {
        const names = [words[i] ?? []].flat();
        return names.length === 0 ? [] : [{ input, names }];
      }),
      flags,
      tree,
      run: readRun(run, givenRun),
      outputs: outputsOf(
        savable.map(([name]) => name),
        values,
      ),
      ...(values.report === undefined ? {} : { report: values.report as string }),
      trust: values.trust === true,
      json: values.json === true,
      ...creationOf(creates, created, words[0]),
    };
    process.exitCode = await runMethod(request, library);
  });
}

// A checkpoint is a file name first; the object with all its fields is for who needs them.
function checkpointFile(flag: Flag): Flag {
  if (flag.name !== '--checkpoint') return flag;
  const { description } = flag.field;
  return {
    ...flag,
    field: {
      ...flag.field,
      type: 'string',
      description: `${description.replace(/\.$/, '')}: a file, '<out>.checkpoint' by default.`,
    },
  };
}

function readRun(flags: Flag[], given: Parameters<typeof readFlags>[1]) {
  const [file] = flags.filter(({ name }) => name === '--checkpoint').map((flag) => given(flag).at(-1));
  const rest = flags.filter(({ name }) => name !== '--checkpoint');
  const tree = readFlags(rest, given);
  if (typeof file === 'string') tree.checkpoint = { ...(tree.checkpoint as object | undefined), path: file };
  return tree;
}

const optional = (flag: Flag): Flag => ({ ...flag, field: { ...flag.field, required: false } });

function creationOf(creates: boolean, created: { [key: string]: unknown }, file: unknown) {
  const [first] = Object.keys(created);
  if (!creates || (first === undefined && file !== undefined)) return {};
  if (file !== undefined)
    throw new UsageError(
      `--${kebab(first as string)} makes a fresh model, but ${file} is given as the model: give one of them`,
    );
  if (created.architecture === undefined)
    throw misused('a model file or --architecture', 'the model', undefined);
  return { creation: created };
}

function addOutputOptions(command: Command, savable: [string, string][]): void {
  const group = 'Output:';
  const add = (flags: string, description: string) =>
    command.addOption(new Option(flags, description).helpGroup(group));
  savable.forEach(([name, noun], i) => {
    add(
      `${outputFlag(name, i)} <file>`,
      `Where the ${noun.toLowerCase()} is saved${i === 0 ? ' (required)' : ''}.`,
    );
  });
  add('--report <file>', 'Where the report is saved: .html, .json, .md or .txt.');
  add('--trust', 'Load models without scanning their operators.');
  add('--json', 'Progress and the result as JSON lines on standard output.');
  add('--verbose', 'Show the stack of an error.');
}

const outputFlag = (name: string, index: number) => (index === 0 ? '--out' : `--out-${kebab(name)}`);

function outputsOf(names: string[], values: { [key: string]: unknown }): { [name: string]: string } {
  if (names.length > 0 && values.out === undefined) {
    throw misused('a file name', `--out (where the ${names[0]} is saved)`, undefined);
  }
  return Object.fromEntries(
    names.flatMap((name, i) => {
      const path = i === 0 ? values.out : values[`out${name.charAt(0).toUpperCase()}${name.slice(1)}`];
      return path === undefined ? [] : [[name, path as string]];
    }),
  );
}
