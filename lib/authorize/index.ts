export { type NonTransferablePruningOptions, nonTransferablePruning } from './nonTransferablePruning.js';
