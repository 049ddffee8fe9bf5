import type { AnyMethod } from './schema/method.js';

/** Every method, family by family; each family's index lists its own. */
export const allMethods: readonly AnyMethod[] = [];
