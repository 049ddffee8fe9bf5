import { type Command, Option } from 'commander';
import { type FieldDescriptor, type FieldDescriptors, isInput, phrase } from '../schema/descriptor.js';
import { kebab, misused } from './usage.js';

/** One option of a method on the command line. */
export interface Flag {
  /** Where its value goes: ['fineTune', 'epochs']. */
  path: string[];
  /** '--fine-tune.epochs'. */
  name: string;
  field: FieldDescriptor;
}

/** What was given for each flag: the words behind it, in order; `true` for a flag that stands alone. */
export type Given = (flag: Flag) => (string | boolean)[];

/** A flag an option; an object has one for itself, which takes JSON, and one for each of its fields. */
export function flagsOf(fields: FieldDescriptors, above: string[] = []): Flag[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const path = [...above, key];
    const flag = { path, name: `--${path.map(kebab).join('.')}`, field };
    return field.type === 'object' ? [flag, ...flagsOf(field.fields ?? {}, path)] : [flag];
  });
}

/** Lets a command take the flags; the result reads what was given. */
export function addFlags(command: Command, flags: readonly Flag[], group: string): Given {
  const read = new Map<Flag, string>();
  for (const flag of flags) {
    const option = new Option(`${flag.name} ${placeholder(flag.field)}`.trim(), helpOf(flag.field));
    option
      .helpGroup(group)
      .argParser((word: string, before?: (string | boolean)[]) => [...(before ?? []), word]);
    command.addOption(option);
    read.set(flag, option.attributeName());
    if (flag.field.type === 'boolean') {
      command.addOption(new Option(flag.name.replace('--', '--no-')).hideHelp());
    }
  }
  return (flag) => {
    const value: unknown = command.getOptionValue(read.get(flag) as string);
    if (value === undefined) return [];
    return Array.isArray(value) ? value : [value as boolean];
  };
}

function placeholder(field: FieldDescriptor): string {
  switch (field.type) {
    case 'boolean':
      return `[${['true', 'false', ...(field.literal === undefined ? [] : [field.literal])].join('|')}]`;
    case 'integer':
    case 'number':
      return '<number>';
    case 'object':
      return '[json]';
    case 'list':
      return field.of?.type === 'handle' ? `<${nounOf(field.of)},...>` : '<value,...>';
    case 'map':
      return '<name=value>';
    case 'handle':
      return `<${nounOf(field)}>`;
    case 'enum':
      return '<word>';
    case 'union':
      return isInput(field) ? '<word|file>' : '<word>';
    default:
      return '<text>';
  }
}

const nounOf = (field: FieldDescriptor) => (field.noun === 'Domain' ? 'domain' : 'file');

const kDomains = "a sample's name or a JSON file";

function helpOf(field: FieldDescriptor): string {
  const object =
    field.type === 'union' ? field.alternatives?.find(({ type }) => type === 'object') : undefined;
  const facts = [
    ...(field.required ? ['required'] : []),
    ...(field.noun === 'Domain' ? [kDomains] : []),
    ...((isInput(field) && field.type !== 'union') || field.type === 'boolean' || field.type === 'string'
      ? []
      : [phrase(field)]),
    ...(object === undefined
      ? []
      : [`the object as JSON, { ${Object.keys(object.fields ?? {}).join(', ')} }`]),
    ...(field.unit === undefined ? [] : [`in ${field.unit}`]),
    ...(field.default === undefined || isEmpty(field.default)
      ? []
      : [`default ${JSON.stringify(field.default)}`]),
  ];
  return facts.length === 0 ? field.description : `${field.description} (${facts.join('; ')})`;
}

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;

type Tree = { [key: string]: unknown };

/** The options that the flags spell; parents first, so that `--a.b` refines what `--a` says. */
export function readFlags(flags: readonly Flag[], given: Given): Tree {
  const tree: Tree = {};
  for (const flag of flags) {
    const words = given(flag);
    if (words.length === 0) {
      if (flag.field.required && flag.path.length === 1)
        throw misused(phrase(flag.field), flag.name, undefined);
      continue;
    }
    put(tree, flag.path, parse(words, flag.field, flag.name));
  }
  return tree;
}

function put(tree: Tree, path: string[], value: unknown): void {
  const [key, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) tree[key] = value;
  else {
    tree[key] ??= {};
    put(tree[key] as Tree, rest, value);
  }
}

function parse(words: (string | boolean)[], field: FieldDescriptor, name: string): unknown {
  if (field.type === 'list') return words.flatMap((word) => parseList(String(word), field, name));
  if (field.type === 'map')
    return Object.assign({}, ...words.map((word) => parseMap(String(word), field, name)));
  const word = words.at(-1);
  if (field.type === 'object' && word === true) return {};
  return typeof word === 'boolean' ? word : parseWord(String(word), field, name);
}

function parseList(text: string, field: FieldDescriptor, name: string): unknown[] {
  if (text.startsWith('[')) return parseJson(text, field, name) as unknown[];
  const element = field.of as FieldDescriptor;
  return text.split(',').map((word) => parseWord(word.trim(), element, name));
}

function parseMap(text: string, field: FieldDescriptor, name: string): object {
  if (text.startsWith('{')) return parseJson(text, field, name) as object;
  const at = text.indexOf('=');
  if (at < 1) throw misused('name=value', name, text);
  return { [text.slice(0, at)]: parseWord(text.slice(at + 1), field.of as FieldDescriptor, name) };
}

function parseWord(word: string, field: FieldDescriptor, name: string): unknown {
  if (field.literal !== undefined && word === field.literal) return word;
  switch (field.type) {
    case 'boolean':
      if (word === 'true' || word === 'false') return word === 'true';
      throw misused(phrase({ ...field, type: 'enum', values: ['true', 'false'] }), name, word);
    case 'integer':
    case 'number': {
      const value = word.trim() === '' ? Number.NaN : Number(word);
      if (!isWithin(value, field)) throw misused(phrase(field), name, word);
      return value;
    }
    case 'enum':
      if (field.values?.includes(word)) return word;
      throw misused(phrase(field), name, word, field.values);
    case 'object':
      return parseJson(word, field, name);
    case 'union': {
      const words = field.alternatives?.flatMap((alternative) => alternative.values ?? []) ?? [];
      if (words.includes(word) || isInput(field)) return word;
      if (word.startsWith('{')) return parseJson(word, field, name);
      throw misused(phrase(field), name, word, words);
    }
    case 'any':
      return /^[[{"\d-]|^(true|false|null)$/.test(word) ? parseJson(word, field, name) : word;
    default:
      return word;
  }
}

function isWithin(value: number, field: FieldDescriptor): boolean {
  const { type, min = -Infinity, max = Infinity, exclusiveMin = -Infinity, exclusiveMax = Infinity } = field;
  if (!Number.isFinite(value) || (type === 'integer' && !Number.isSafeInteger(value))) return false;
  return value >= min && value <= max && value > exclusiveMin && value < exclusiveMax;
}

function parseJson(text: string, field: FieldDescriptor, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw misused(`${phrase(field)} as JSON`, name, text);
  }
}
