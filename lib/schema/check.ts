import type * as z from 'zod';
import { type AnyEspalierError, EspalierTypeError, expected, outOfRange, show } from '../errors.js';
import { describe, phrase } from './descriptor.js';
import { nearest } from './nearest.js';

type Schema = z.ZodType;
type Issue = z.core.$ZodIssue;

/**
 * `value` as the schema takes it, defaults filled in; otherwise the error of the first thing that is wrong.
 * `name` stands for the whole value in messages: "options of prune.magnitude".
 */
export function check<S extends Schema>(schema: S, value: unknown, name: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0] as Issue;
  throw toError(schema, issue, value, name);
}

function toError(schema: Schema, issue: Issue, value: unknown, name: string): AnyEspalierError {
  const path = nameOf(issue.path, name);
  const received = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown>)?.[key],
    value,
  );
  const field = fieldAt(schema, issue.path, value);
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKey(issue.keys[0] ?? '', keysOf(field, received), issue.path, path, name);
    case 'too_big':
    case 'too_small':
      if (issue.origin === 'number') return outOfRange(phraseOf(field), path, received);
      return expected(
        `${phraseOf(field)}, ${issue.code === 'too_big' ? 'shorter' : 'longer'} than that`,
        path,
        received,
      );
    case 'invalid_union':
      if ('discriminator' in issue) {
        return expected(
          `one of ${((issue as { options?: unknown[] }).options ?? []).map(show).join(', ')}`,
          path,
          received,
        );
      }
      return insideUnion(schema, issue, value, name) ?? expected(phraseOf(field), path, received);
    case 'custom':
      // A refinement's message is a sentence of its own; the default one says nothing.
      if (issue.message !== 'Invalid input') return new EspalierTypeError(issue.message);
      return expected(phraseOf(field), path, received);
    default:
      return expected(phraseOf(field), path, received);
  }
}

// The member of a union that the value came nearest to: the one whose first complaint lies deepest, or is
// about a range rather than a type.
function insideUnion(schema: Schema, issue: Issue & { code: 'invalid_union' }, value: unknown, name: string) {
  const first = issue.errors.map((issues) => issues[0]).filter((inner) => inner !== undefined);
  const inner = first.find(({ path, code }) => path.length > 0 || code === 'too_big' || code === 'too_small');
  if (inner === undefined) return undefined;
  return toError(schema, { ...inner, path: [...issue.path, ...inner.path] } as Issue, value, name);
}

function unknownKey(key: string, known: string[], at: PropertyKey[], path: string, name: string) {
  const suggestion = nearest(key, known);
  const where = at.length === 0 ? name : `${path} of ${name}`;
  const hint = suggestion === undefined ? `known are ${known.join(', ')}` : `did you mean '${suggestion}'?`;
  return new EspalierTypeError(`expected a known option for ${where}, received '${key}' (${hint})`);
}

function nameOf(path: PropertyKey[], name: string): string {
  if (path.length === 0) return name;
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
    '',
  );
}

const phraseOf = (schema: Schema | undefined) =>
  schema === undefined ? 'nothing' : phrase(describe(schema));

function keysOf(schema: Schema | undefined, value: unknown): string[] {
  const object = schema && objectIn(schema, value);
  return object === undefined ? [] : Object.keys(object.shape);
}

// The schema of the thing at `path`; where the value chooses between variants, of the chosen one.
function fieldAt(schema: Schema, path: PropertyKey[], value: unknown): Schema | undefined {
  let at: Schema | undefined = schema;
  let inside = value;
  for (const key of path) {
    at = at && step(at, key, inside);
    inside = (inside as Record<PropertyKey, unknown> | undefined)?.[key];
  }
  return at;
}

function step(schema: Schema, key: PropertyKey, value: unknown): Schema | undefined {
  const object = objectIn(schema, value);
  if (object !== undefined) return object.shape[String(key)] as Schema | undefined;
  const def = unwrap(schema).def as unknown as {
    type: string;
    element?: Schema;
    valueType?: Schema;
    options?: Schema[];
  };
  if (def.type === 'union') {
    for (const option of def.options ?? []) {
      const found = step(option, key, value);
      if (found !== undefined) return found;
    }
  }
  return def.element ?? def.valueType;
}

function objectIn(schema: Schema, value: unknown): z.ZodObject | undefined {
  const bare = unwrap(schema);
  const def = bare.def as unknown as { type: string; discriminator?: string; options?: Schema[] };
  if (def.type === 'object') return bare as z.ZodObject;
  if (def.type !== 'union' || def.discriminator === undefined) return undefined;
  const chosen = (value as Record<string, unknown> | undefined)?.[def.discriminator];
  const objects = (def.options ?? []) as z.ZodObject[];
  return objects.find(
    (option) => (option.shape[def.discriminator as string] as Schema).safeParse(chosen).success,
  );
}

function unwrap(schema: Schema): Schema {
  let bare = schema;
  for (;;) {
    const { innerType } = bare.def as unknown as { innerType?: Schema };
    if (innerType === undefined) return bare;
    bare = innerType;
  }
}
