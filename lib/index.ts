export * as attack from './attack/index.js';
export * as authorize from './authorize/index.js';
export { configure } from './configure.js';
export { Dataset, type DatasetData, type Labels } from './dataset.js';
export { Domain } from './domain.js';
export {
  type AnyEspalierError,
  type Details,
  type ErrorCode,
  type ErrorFacts,
  EspalierError,
  EspalierRangeError,
  EspalierTypeError,
  isEspalierError,
} from './errors.js';
export * as evaluate from './evaluate/index.js';
export { IsolatedModel, type IsolatedSamples, type IsolateOptions } from './isolate/isolatedModel.js';
export { Key } from './key.js';
export { Mask } from './mask.js';
export {
  type Architecture,
  type CreateOptions,
  type Layer,
  type LoadOptions,
  Model,
  type ModelInfo,
  type ParameterInfo,
  type SaveOptions,
} from './model.js';
export * as prune from './prune/index.js';
export {
  type AnyReport,
  type Report,
  renderHtml,
  renderJson,
  renderMarkdown,
  renderTable,
  saveReport,
  type TextOptions,
} from './report/index.js';
export { type Progress, Run } from './run.js';
export type { CheckpointOptions, RunOptions } from './schema/runOptions.js';
export { Trail, type TrailPoint } from './trail.js';
export * as train from './train/index.js';
export type { DType, Tensor, TypedArray, Value } from './value.js';
