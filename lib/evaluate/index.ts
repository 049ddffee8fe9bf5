export { type AccuracyOptions, accuracy } from './accuracy.js';
export { type AuthorizationOptions, authorization } from './authorization.js';
export { type DomainsOptions, domains } from './domains.js';
export { type SampleWiseLearningCurveOptions, sampleWiseLearningCurve } from './sampleWiseLearningCurve.js';
export { type SourceTargetDropOptions, sourceTargetDrop } from './sourceTargetDrop.js';
