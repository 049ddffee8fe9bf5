import { type AnyReport, isObject } from './report.js';

// The names that a report's sentences use for what the method was given.

export function modelName(report: AnyReport): string {
  const { model } = report.inputs ?? {};
  const architecture = isObject(model) ? (model.architecture ?? model.label) : undefined;
  return typeof architecture === 'string' && architecture !== '' ? architecture : 'the model';
}

export function domainName(report: AnyReport): string {
  const { domain } = report.inputs ?? {};
  return isObject(domain) && typeof domain.name === 'string' ? domain.name : 'its domain';
}
