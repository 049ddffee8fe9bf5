import { raceLearning } from './learning.js';

await raceLearning('transfer', '5');
