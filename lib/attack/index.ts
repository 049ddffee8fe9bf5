export { type BatchNormAdaptationOptions, batchNormAdaptation } from './batchNormAdaptation.js';
export { type ElasticFineTuneOptions, elasticFineTune } from './elasticFineTune.js';
export { type FineTuneOptions, fineTune } from './fineTune.js';
export { type LinearProbeOptions, linearProbe } from './linearProbe.js';
export { type NearestNeighbourOptions, nearestNeighbour } from './nearestNeighbour.js';
export { type RedensifyOptions, redensify } from './redensify.js';
export { type RetrainHeadOptions, retrainHead } from './retrainHead.js';
export { type SourceRepairOptions, sourceRepair } from './sourceRepair.js';
