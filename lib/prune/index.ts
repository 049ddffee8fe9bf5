export { type LearnedThresholdOptions, learnedThreshold } from './learnedThreshold.js';
export { type MagnitudeOptions, magnitude } from './magnitude.js';
