export { type ApplyMaskOptions, applyMask } from './applyMask.js';
export { type MaskPruningOptions, maskPruning } from './maskPruning.js';
export {
  type NonTransferableLearningOptions,
  nonTransferableLearning,
} from './nonTransferableLearning.js';
export { type NonTransferablePruningOptions, nonTransferablePruning } from './nonTransferablePruning.js';
export { type RemoveMaskOptions, removeMask } from './removeMask.js';
export { type VerifyOwnershipOptions, verifyOwnership } from './verifyOwnership.js';
