import { type FieldDescriptor, type FieldDescriptors, isInput } from '../../lib/schema/descriptor.js';
import type { AnyMethod } from '../../lib/schema/method.js';

// What native code says of a field (native/core/convert.h, describe).
export interface NativeField {
  type: string;
  optional?: boolean;
  required?: boolean;
  default?: unknown;
  min?: number;
  max?: number;
  exclusiveMin?: number;
  exclusiveMax?: number;
  values?: string[];
  of?: NativeField | NativeField[];
  fields?: NativeFields;
  literal?: string;
  noun?: string;
  secret?: boolean;
}
export type NativeFields = { [name: string]: NativeField };

export interface NativeSchema {
  inputs: { fields: NativeFields };
  options: { fields: NativeFields };
  report: { fields: NativeFields };
  outputs: { fields: NativeFields };
}

// What a caller gives is compared in everything; what a report holds has neither defaults nor ranges, and in a
// variant an option that native code has as optional may be required or have a default of its own.
type Side = 'given' | 'variant' | 'told';

/** Every difference between the two descriptions of a method, in words; none when they agree. */
export function differences(method: AnyMethod, native: NativeSchema): string[] {
  const found: string[] = [];
  const say = (path: string, text: string) => found.push(`${path}: ${text}`);

  const split = (fields: FieldDescriptors, input: boolean): FieldDescriptors =>
    Object.fromEntries(Object.entries(fields).filter(([, field]) => isInput(field) === input));
  const inputs = { ...method.inputs, ...split(method.options, true) };
  const options = split(method.options, false);

  compareNames('inputs', inputs, native.inputs.fields, say);
  compareNames('options', options, native.options.fields, say);
  const { variants } = method;
  if (variants === undefined) {
    compareFields('inputs', inputs, native.inputs.fields, 'given', say);
    compareFields('options', options, native.options.fields, 'given', say);
  } else {
    compareFields('inputs', method.inputs, native.inputs.fields, 'given', say);
    const by = variants.by;
    const tag = options[by];
    if (tag !== undefined) compareFields('options', { [by]: tag }, native.options.fields, 'given', say);
    for (const { values, options: own } of variants.cases) {
      const at = `${by} ${values.join('|')}, `;
      compareFields(`${at}inputs`, split(own, true), native.inputs.fields, 'variant', say);
      compareFields(`${at}options`, split(own, false), native.options.fields, 'variant', say);
      for (const [name, field] of Object.entries({ ...native.options.fields, ...native.inputs.fields })) {
        const absent = name !== by && !(name in own) && !(name in method.inputs);
        if (absent && !field.optional)
          say(`${at}${name}`, 'is in C++ not optional, but this variant lacks it');
      }
    }
  }
  compareNames('report', method.report, native.report.fields, say);
  compareFields('report', method.report, native.report.fields, 'told', say);
  compareOutputs(method, native.outputs.fields, say);
  return found;
}

/** The same for options alone. */
export function fieldDifferences(fields: FieldDescriptors, native: NativeFields): string[] {
  const found: string[] = [];
  const say = (path: string, text: string) => found.push(`${path}: ${text}`);
  compareNames('options', fields, native, say);
  compareFields('options', fields, native, 'given', say);
  return found;
}

type Say = (path: string, text: string) => void;

function compareOutputs(method: AnyMethod, native: NativeFields, say: Say): void {
  for (const name of new Set([...Object.keys(method.outputs), ...Object.keys(native)])) {
    const ours = method.outputs[name];
    const theirs = native[name]?.noun;
    if (ours !== theirs)
      say(`outputs.${name}`, `is ${ours ?? 'absent'} in TypeScript, ${theirs ?? 'absent'} in C++`);
  }
}

function compareNames(path: string, fields: FieldDescriptors, native: NativeFields, say: Say): void {
  for (const name of Object.keys(fields)) {
    if (!(name in native)) say(`${path}.${name}`, 'is unknown in C++');
  }
  for (const name of Object.keys(native)) {
    if (!(name in fields)) say(`${path}.${name}`, 'is unknown in TypeScript');
  }
}

function compareFields(
  path: string,
  fields: FieldDescriptors,
  native: NativeFields,
  side: Side,
  say: Say,
): void {
  for (const [name, field] of Object.entries(fields)) {
    const other = native[name];
    if (other !== undefined) compareField(`${path}.${name}`, field, other, side, say);
  }
}

function compareField(path: string, field: FieldDescriptor, native: NativeField, side: Side, say: Say): void {
  if (field.type !== native.type) {
    say(path, `is ${field.type} in TypeScript, ${native.type} in C++`);
    return;
  }
  compareType(path, field, native, side, say);
  if (side !== 'told') comparePresence(path, field, native, side, say);
  else differ(path, 'optional', field.optional, native.optional ?? false, say);
}

function compareType(path: string, field: FieldDescriptor, native: NativeField, side: Side, say: Say): void {
  differ(path, 'values', sorted(field.values), sorted(native.values), say);
  differ(path, 'literal', field.literal, native.literal, say);
  differ(path, 'noun', field.noun, native.noun, say);
  differ(path, 'secret', field.secret ?? false, native.secret ?? false, say);
  if (side !== 'told') {
    for (const bound of ['min', 'max', 'exclusiveMin', 'exclusiveMax'] as const) {
      differ(path, bound, safe(field[bound]), safe(native[bound]), say);
    }
  }
  if (field.fields !== undefined) {
    compareNames(path, field.fields, native.fields ?? {}, say);
    const inner = side === 'variant' ? 'given' : side;
    compareFields(path, field.fields, native.fields ?? {}, inner, say);
  }
  const parts = field.alternatives ?? (field.of === undefined ? [] : [field.of]);
  const others = native.of === undefined ? [] : [native.of].flat();
  if (parts.length !== others.length)
    say(path, `has ${parts.length} parts in TypeScript, ${others.length} in C++`);
  parts.forEach((part, i) => {
    const other = others[i];
    if (other === undefined) return;
    if (part.type !== other.type) say(`${path}[${i}]`, `is ${part.type} in TypeScript, ${other.type} in C++`);
    else compareType(`${path}[${i}]`, part, other, side === 'variant' ? 'given' : side, say);
  });
}

// Whether it must be given, may be absent, or has a default.
function comparePresence(
  path: string,
  field: FieldDescriptor,
  native: NativeField,
  side: Side,
  say: Say,
): void {
  if (side === 'variant' && native.optional && native.default == null) return;
  differ(path, 'optional', field.optional, native.optional ?? false, say);
  if (field.type === 'handle' || isInput(field)) return;
  differ(path, 'required', field.required, native.required ?? false, say);
  if (field.required || field.type === 'object' || native.type === 'object') return;
  differ(path, 'default', field.default ?? null, native.default ?? null, say);
}

function differ(path: string, what: string, ours: unknown, theirs: unknown, say: Say): void {
  const [left, right] = [JSON.stringify(ours), JSON.stringify(theirs)];
  if (left !== right) say(path, `${what} is ${left ?? 'absent'} in TypeScript, ${right ?? 'absent'} in C++`);
}

const sorted = (values: string[] | undefined) => values && [...values].sort();
// A bound that every whole number of JavaScript has.
const safe = (bound: number | undefined) =>
  bound !== undefined && Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? undefined : bound;
