export { type ApplyMaskOptions, applyMask } from './applyMask.js';
export { type NonTransferablePruningOptions, nonTransferablePruning } from './nonTransferablePruning.js';
export { type RemoveMaskOptions, removeMask } from './removeMask.js';
