export { type MagnitudeOptions, magnitude } from './magnitude.js';
