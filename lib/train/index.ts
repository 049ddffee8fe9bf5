export { type SupervisedOptions, supervised } from './supervised.js';
