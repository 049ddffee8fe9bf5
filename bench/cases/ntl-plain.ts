import { raceLearning } from './learning.js';

await raceLearning('plain', '3');
