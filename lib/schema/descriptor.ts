import type * as z from 'zod';

/** Options and reports: what JSON can hold. */
export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

/** What the command line, the help, the docs table and the drift test need to know of a field. */
export interface FieldDescriptor {
  type:
    | 'any'
    | 'boolean'
    | 'integer'
    | 'number'
    | 'string'
    | 'enum'
    | 'list'
    | 'map'
    | 'object'
    | 'handle'
    | 'union';
  /** The sentence of `.describe()`. */
  description: string;
  /** "epochs", "pixels", ...: `.meta({ unit })`. */
  unit?: string;
  /** The caller must give it. */
  required: boolean;
  /** May be absent, and then means what its description says. */
  optional: boolean;
  default?: Plain;
  min?: number;
  max?: number;
  exclusiveMin?: number;
  exclusiveMax?: number;
  /** The names of an enumeration. */
  values?: string[];
  /** The elements of a list or map. */
  of?: FieldDescriptor;
  fields?: FieldDescriptors;
  /** What a union may be: one of a few words, or an object that says more, or a handle. */
  alternatives?: FieldDescriptor[];
  /** A word that may stand in the place of a value: 'auto'. */
  literal?: string;
  /** What kind of handle: 'Model', 'Domain', ... */
  noun?: string;
  /** A list that also takes one element without brackets. */
  oneOrList?: boolean;
  /** Never shown in a manifest, report, log or checkpoint. */
  secret?: boolean;
}
export type FieldDescriptors = { [name: string]: FieldDescriptor };

/** What `.meta()` may hold besides the description. */
export interface FieldMeta {
  unit?: string;
  noun?: string;
  secret?: boolean;
}

type Schema = z.ZodType;
type Def = {
  type: string;
  innerType?: Schema;
  element?: Schema;
  valueType?: Schema;
  defaultValue?: unknown;
  values?: unknown[];
  entries?: Record<string, string>;
  options?: Schema[];
  shape?: Record<string, Schema>;
  checks?: { _zod: { def: { check: string; value?: number; inclusive?: boolean } } }[];
};

const defOf = (schema: Schema) => schema.def as unknown as Def;

/** The fields of a strict object schema. */
export function describeFields(schema: z.ZodObject): FieldDescriptors {
  return Object.fromEntries(
    Object.entries(schema.shape).map(([name, field]) => [name, describe(field as Schema)]),
  );
}

/** A schema as plain data. Schemas of options use only the kinds of type that it knows. */
export function describe(schema: Schema): FieldDescriptor {
  const def = defOf(schema);
  const field = describeType(schema, def);
  const meta = (schema.meta() ?? {}) as FieldMeta & { description?: string };
  if (meta.description !== undefined) field.description = meta.description;
  if (meta.unit !== undefined) field.unit = meta.unit;
  if (meta.secret) field.secret = true;
  return field;
}

function describeType(schema: Schema, def: Def): FieldDescriptor {
  const plain = { description: '', required: true, optional: false };
  switch (def.type) {
    case 'optional':
    case 'nullable':
      return { ...describe(def.innerType as Schema), required: false, optional: true };
    case 'default':
    case 'prefault': {
      const inner = { ...describe(def.innerType as Schema), required: false };
      return inner.type === 'object' ? inner : { ...inner, default: def.defaultValue as Plain };
    }
    case 'boolean':
    case 'string':
      return { ...plain, type: def.type };
    case 'number':
      return { ...plain, type: (schema as z.ZodNumber).isInt ? 'integer' : 'number', ...boundsOf(def) };
    case 'enum':
      return { ...plain, type: 'enum', values: Object.values(def.entries ?? {}) };
    case 'literal':
      return { ...plain, type: 'enum', values: (def.values ?? []).map(String) };
    case 'array':
      return { ...plain, type: 'list', of: describe(def.element as Schema) };
    case 'record':
      return { ...plain, type: 'map', of: describe(def.valueType as Schema) };
    case 'object':
      return { ...plain, type: 'object', fields: describeFields(schema as z.ZodObject) };
    case 'union':
      return describeUnion(def.options ?? []);
    case 'custom': {
      const { noun } = (schema.meta() ?? {}) as FieldMeta;
      if (noun !== undefined) return { ...plain, type: 'handle', noun };
      break;
    }
    case 'any':
    case 'unknown':
      return { ...plain, type: 'any' };
  }
  throw new TypeError(`an option's schema cannot be a ${def.type}`);
}

// Three unions have a meaning: a word in the place of a value, one or a list, and a few words or what says more.
function describeUnion(options: Schema[]): FieldDescriptor {
  const [first, second] = options;
  if (first === undefined || second === undefined || options.length !== 2) {
    throw new TypeError('a union in an option must have two members');
  }
  if (defOf(second).type === 'array') return { ...describe(second), oneOrList: true };
  if (defOf(first).type === 'enum' && ['object', 'custom'].includes(defOf(second).type)) {
    const alternatives = [describe(first), describe(second)];
    return { type: 'union', description: '', required: true, optional: false, alternatives };
  }
  const word = [first, second].find((option) => defOf(option).type === 'literal');
  if (word === undefined)
    throw new TypeError('a union in an option needs a literal, a list, or words and an object');
  const other = describe(word === first ? second : first);
  return { ...other, literal: String(defOf(word).values?.[0]) };
}

function boundsOf(def: Def) {
  const bounds: Pick<FieldDescriptor, 'min' | 'max' | 'exclusiveMin' | 'exclusiveMax'> = {};
  for (const { _zod } of def.checks ?? []) {
    const { check, value, inclusive } = _zod.def;
    if (value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER) continue;
    if (check === 'greater_than') bounds[inclusive ? 'min' : 'exclusiveMin'] = value;
    if (check === 'less_than') bounds[inclusive ? 'max' : 'exclusiveMax'] = value;
  }
  return bounds;
}

/** Whether it is, or may hold, handles: such an option is an input of the method. */
export function isInput(field: FieldDescriptor): boolean {
  const parts =
    field.type === 'union' ? (field.alternatives ?? []) : [field.type === 'list' ? field.of : field];
  return parts.some((part) => part?.type === 'handle');
}

/** What a field takes, as an error message or the docs say it: "a number >= 0 and <= 1". */
export function phrase(field: FieldDescriptor): string {
  const words = phraseType(field);
  return field.literal === undefined ? words : `'${field.literal}' or ${words}`;
}

function phraseType(field: FieldDescriptor): string {
  switch (field.type) {
    case 'boolean':
    case 'string':
      return `a ${field.type}`;
    case 'integer':
      return `a whole number${phraseBounds(field)}`;
    case 'number':
      return `a number${phraseBounds(field)}`;
    case 'enum': {
      const values = (field.values ?? []).map((value) => `'${value}'`);
      return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
    }
    case 'handle':
      return `${/^[AEIO]/.test(field.noun ?? '') ? 'an' : 'a'} ${field.noun}`;
    case 'list': {
      const element = field.of === undefined ? 'values' : phrase(field.of);
      return field.oneOrList ? `${element} or a list of them` : `a list whose elements are each ${element}`;
    }
    case 'map':
    case 'object':
      return 'an object';
    case 'union':
      return (field.alternatives ?? []).map(phrase).join(' or ');
    case 'any':
      return 'a value';
  }
}

function phraseBounds({ min, max, exclusiveMin, exclusiveMax }: FieldDescriptor): string {
  const bounds: string[] = [];
  if (min !== undefined) bounds.push(`>= ${min}`);
  if (exclusiveMin !== undefined) bounds.push(`> ${exclusiveMin}`);
  if (max !== undefined) bounds.push(`<= ${max}`);
  if (exclusiveMax !== undefined) bounds.push(`< ${exclusiveMax}`);
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`;
}
