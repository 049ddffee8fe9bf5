import { type FieldDescriptor, type FieldDescriptors, phrase } from './descriptor.js';
import type { AnyMethod } from './method.js';

/** The options of a method as a table for its page, nested options by their dotted names. */
export function optionsTable(method: AnyMethod): string {
  const rows = rowsOf(method.options, '');
  if (rows.length === 0) return 'None of its own, only those of every run.';
  return ['| option | takes | default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function rowsOf(fields: FieldDescriptors, prefix: string): string[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const name = `${prefix}${key}`;
    return [row(name, field), ...(field.fields === undefined ? [] : rowsOf(field.fields, `${name}.`))];
  });
}

function row(name: string, field: FieldDescriptor): string {
  const unit = field.unit === undefined ? '' : ` (${field.unit})`;
  return `| \`${name}\` | ${phrase(field)}${unit} | ${defaultOf(field)} | ${field.description} |`;
}

function defaultOf(field: FieldDescriptor): string {
  if (field.required) return 'required';
  if (field.default === undefined || field.default === null) return field.optional ? 'none' : '';
  return `\`${JSON.stringify(field.default)}\``;
}
