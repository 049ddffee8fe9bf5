import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EspalierError } from '../errors.js';
import { isObject } from '../report/report.js';
import { type FieldDescriptor, type FieldDescriptors, isInput } from '../schema/descriptor.js';
import type { ImageShape, Library, OpenOptions } from './library.js';
import { misused } from './usage.js';

/** An input of a method that is a handle: a file or a domain. */
export interface HandleInput {
  key: string;
  noun: string;
  required: boolean;
  list: boolean;
  description: string;
}

/** Those among the fields; a literal that may stand in a handle's place stays what it is. */
export function handleInputs(fields: FieldDescriptors): HandleInput[] {
  return Object.entries(fields)
    .filter(([, field]) => isInput(field))
    .map(([key, field]) => ({
      key,
      noun: nounOf(field),
      required: field.required,
      list: field.type === 'list',
      description: field.description,
    }));
}

const nounOf = (field: FieldDescriptor) =>
  field.noun ?? field.of?.noun ?? field.alternatives?.find(({ noun }) => noun !== undefined)?.noun ?? '';

/** Whether a word stands for itself where a handle is taken. */
export const isWord = (field: FieldDescriptor, word: string) =>
  field.literal === word || field.alternatives?.some(({ values }) => values?.includes(word)) === true;

/** Domains are given by name, all else as files on the line. */
export const isFile = ({ noun }: HandleInput) => noun !== 'Domain' && noun !== 'Dataset';

/** The domain of that name: a sample, or what a JSON file describes; its paths are relative to the file. */
export async function openDomain(
  name: string,
  flag: string,
  library: Library,
  images: ImageShape | undefined,
): Promise<unknown> {
  if (library.samples.includes(name)) return await library.sample(name, images);
  if (!name.endsWith('.json')) {
    const samples = library.samples.join(', ');
    throw misused(
      `a sample domain (${samples}) or a JSON file that describes one`,
      flag,
      name,
      library.samples,
    );
  }
  return await library.domain(await readDomain(name));
}

async function readDomain(file: string): Promise<{ [key: string]: unknown }> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new EspalierError('ERR_IO', `the domain ${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EspalierError('ERR_DATA_INVALID', `${file} is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (!isObject(value)) {
    throw new EspalierError('ERR_DATA_INVALID', `${file}: expected an object { name, fit, select, report }`);
  }
  const folder = dirname(file);
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, key === 'name' ? entry : located(entry, folder)]),
  );
}

function located(value: unknown, folder: string): unknown {
  if (typeof value === 'string') return resolve(folder, value);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, located(entry, folder)]));
}

/** Opens what was named, one or a list. */
export async function openFiles(
  names: string[],
  noun: string,
  library: Library,
  options: OpenOptions,
): Promise<unknown[]> {
  const handles: unknown[] = [];
  for (const name of names) handles.push(await library.open(noun, name, options));
  return handles;
}
