export { type ContrastiveOptions, contrastive } from './contrastive.js';
export { type SupervisedOptions, supervised } from './supervised.js';
