import * as z from 'zod';
import { callerSite, type NativeHandle, startRun } from '../binding.js';
import { expected, isEspalierError } from '../errors.js';
import { Handle, kNative } from '../handle.js';
import type { Model } from '../model.js';
import type { Report } from '../report/report.js';
import { Run } from '../run.js';
import { check } from './check.js';
import { describeFields, type FieldDescriptors, isInput } from './descriptor.js';
import { type HandleOf, type Noun, wrap } from './handle.js';
import { type RunOptions, runOptions, signalOption } from './runOptions.js';

type Shape = { [name: string]: z.ZodType };
/** A strict object, or a union of them over the enumeration that tells the variants of a method apart. */
export type OptionsSchema = z.ZodObject | z.ZodDiscriminatedUnion<readonly z.ZodObject[]>;

export interface MethodDefinition<
  Inputs extends Shape,
  Options extends OptionsSchema,
  Outputs extends { [name: string]: Noun },
  Figures extends z.ZodObject,
> {
  /** "prune.magnitude": the family and the function's name. */
  name: string;
  /** One sentence. */
  summary: string;
  /** The publication, or where else it comes from. */
  source: string;
  /** The handles that stand before the options, in that order. */
  inputs: Inputs;
  /** Everything that is given by name: the method's own options, and its further handles (domains, ...). */
  options: Options;
  /** The handles that it returns. */
  outputs: Outputs;
  /** The figures of its report. */
  report: Figures;
  /** By the values of its option `preset`: what the options are that the caller leaves out and the variant has. */
  presets?: { [name: string]: Preset<z.input<Options>> };
}

type Preset<Options> = Options extends unknown ? Partial<Options> : never;

export type Result<Outputs extends { [name: string]: Noun }, Figures> = {
  -readonly [Name in keyof Outputs]: HandleOf<Outputs[Name]>;
} & { report: Report<Figures> };

export interface Variants {
  /** The option that tells the variants apart. */
  by: string;
  cases: { values: string[]; options: FieldDescriptors }[];
}

/** A method as the command line, the docs and the drift test see it. */
export interface AnyMethod {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly inputs: FieldDescriptors;
  /** The named options without those of every run; of all variants together where there are variants. */
  readonly options: FieldDescriptors;
  readonly variants?: Variants;
  readonly outputs: { readonly [name: string]: Noun };
  readonly report: FieldDescriptors;
  /** Runs it with the positional inputs by name; checks everything. */
  start(
    inputs: { [name: string]: unknown },
    options?: object,
  ): Run<{ [name: string]: unknown; report: Report<object> }>;
}

export interface Method<Inputs extends Shape, Options extends OptionsSchema, Results>
  extends Omit<AnyMethod, 'start'> {
  readonly schema: Options;
  start(
    inputs: { [Name in keyof Inputs]: z.input<Inputs[Name]> },
    options?: z.input<Options> & RunOptions,
  ): Run<Results>;
}

/** What a method's function takes after its inputs. */
export type OptionsOf<M> = M extends { schema: infer S extends z.ZodType } ? z.input<S> & RunOptions : never;

/** The one description of a method: its types, checks, flags, help and docs all come from it. */
export function defineMethod<
  const Inputs extends Shape,
  const Options extends OptionsSchema,
  const Outputs extends { [name: string]: Noun },
  const Figures extends z.ZodObject,
>(definition: MethodDefinition<Inputs, Options, Outputs, Figures>) {
  const { name, summary, source, outputs } = definition;
  const whole = withRunOptions(definition.options);
  const positional = z.strictObject(definition.inputs);
  const { options, variants } = describeOptions(definition.options);

  const start = (inputs: object, given: object = {}) => {
    const site = callerSite(start);
    return new Run(async (context) => {
      if (typeof given !== 'object' || given === null)
        throw expected('an object', `options of ${name}`, given);
      const handles = check(positional, inputs, name);
      const split = splitOptions(
        check(whole, withPreset(given, definition.presets, variants), name) as object,
        options,
      );
      const { signal: _, ...run } = split.run;
      const request = {
        method: name,
        inputs: toNative({ ...handles, ...split.inputs }),
        options: split.options,
        run,
      };
      const { outputs, report } = await startRun(request, context, site).catch(withModel);
      (report as { versions: { node?: string } }).versions.node = process.version;
      const wrapped = Object.entries(outputs).map(([output, native]) => [output, native && wrap(native)]);
      return { ...Object.fromEntries(wrapped), report };
    }, signalOf(given));
  };

  const method = {
    name,
    summary,
    source,
    inputs: describeFields(positional),
    options,
    ...(variants === undefined ? {} : { variants }),
    outputs,
    report: describeFields(definition.report),
    schema: definition.options,
    start,
  };
  return method as unknown as Method<Inputs, Options, Result<Outputs, z.output<Figures>>>;
}

// What diverged hands over its network, which is a native handle until here.
function withModel(error: unknown): never {
  if (isEspalierError(error, 'ERR_DIVERGED') && error.details?.model !== undefined)
    error.details.model = wrap(error.details.model as unknown as NativeHandle) as Model;
  throw error;
}

function withRunOptions(options: OptionsSchema): z.ZodType {
  const shape = { ...runOptions.shape, ...signalOption.shape };
  const extend = (schema: z.ZodObject) => {
    const clash = Object.keys(schema.shape).find((key) => key in shape);
    if (clash !== undefined) throw new TypeError(`an option named ${clash} belongs to every run`);
    return schema.safeExtend(shape);
  };
  if (options instanceof z.ZodObject) return extend(options);
  const { discriminator } = options.def;
  return z.discriminatedUnion(discriminator, options.options.map(extend) as unknown as [z.ZodObject]);
}

function describeOptions(schema: OptionsSchema): { options: FieldDescriptors; variants?: Variants } {
  if (schema instanceof z.ZodObject) return { options: describeFields(schema) };
  const by = schema.def.discriminator;
  const cases = schema.options.map((option) => {
    const { [by]: tag, ...options } = describeFields(option);
    return { values: tag?.values ?? [], options };
  });
  const merged: FieldDescriptors = {};
  for (const { options } of cases) {
    for (const [key, field] of Object.entries(options)) {
      const everywhere = cases.every((other) => key in other.options);
      merged[key] ??= everywhere ? field : { ...field, required: false, optional: true };
    }
  }
  const tag = describeFields(schema.options[0] as z.ZodObject)[by];
  if (tag === undefined) throw new TypeError(`a variant lacks ${by}`);
  const values = cases.flatMap((variant) => variant.values);
  return { options: { [by]: { ...tag, values }, ...merged }, variants: { by, cases } };
}

type Named = { [name: string]: unknown };

// What the caller gives counts before the preset, nested groups entry by entry; of the preset what his variant has.
function withPreset(
  given: object,
  presets: { [name: string]: object } = {},
  variants: Variants | undefined = undefined,
): object {
  const { preset } = given as { preset?: unknown };
  const values = typeof preset === 'string' && Object.hasOwn(presets, preset) ? presets[preset] : undefined;
  if (values === undefined) return given;
  const tag = variants === undefined ? undefined : (given as Named)[variants.by];
  const variant = variants?.cases.find(({ values }) => values.includes(tag as string));
  const known = Object.entries(values).filter(([key]) => variant === undefined || key in variant.options);
  return merge(Object.fromEntries(known), given as Named);
}

function merge(values: Named, given: Named): Named {
  const merged = { ...values, ...given };
  for (const [key, value] of Object.entries(values)) {
    const own = given[key];
    if (isGroup(value) && isGroup(own)) merged[key] = merge(value, own);
    else if (own === undefined) merged[key] = value;
  }
  return merged;
}

const isGroup = (value: unknown): value is Named =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function splitOptions(all: object, options: FieldDescriptors) {
  const split = { inputs: {} as Named, options: {} as Named, run: {} as Named };
  for (const [key, value] of Object.entries(all)) {
    const field = options[key];
    split[field === undefined ? 'run' : isInput(field) ? 'inputs' : 'options'][key] = value;
  }
  return split;
}

type NativeInput = NativeHandle | NativeInput[] | { [name: string]: NativeInput } | unknown;

function toNative(value: unknown): NativeInput {
  if (value instanceof Handle) return value[kNative];
  if (Array.isArray(value)) return value.map(toNative);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toNative(entry)]));
}

const signalOf = (given: object | null) => {
  const signal: unknown = (given as { signal?: unknown } | null)?.signal;
  return signal instanceof AbortSignal ? signal : undefined;
};
