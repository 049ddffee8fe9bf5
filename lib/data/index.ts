export { findSample, sampleFolders } from './find.js';
export type { RoleFiles, SampleDescription } from './folder.js';
export { type SampleName, sampleNames } from './recipe.js';
export { type MakeSamplesOptions, makeSamples, type SampleOutcome, type SampleProgress } from './samples.js';
