import { type AnyReport, isObject } from './report.js';

// The names that a report's sentences use for what the method was given.

export function modelName(report: AnyReport): string {
  const { model } = report.inputs ?? {};
  const { architecture } = isObject(model) ? model : {};
  // Its name alone, or a name among the facts that it was made from.
  const name = isObject(architecture) ? architecture.name : architecture;
  return typeof name === 'string' && name !== '' ? name : 'the model';
}

export function domainName(report: AnyReport): string {
  return nameOf(report.inputs?.domain, 'its domain');
}

export function sourceName(report: AnyReport): string {
  return nameOf(report.inputs?.source, 'the source');
}

function nameOf(domain: unknown, otherwise: string): string {
  return isObject(domain) && typeof domain.name === 'string' ? domain.name : otherwise;
}
