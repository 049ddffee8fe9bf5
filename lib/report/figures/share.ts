import * as z from 'zod';

/** A number that may be missing: the accuracy of a class without samples, the loss of an epoch without data. */
export const maybe = z.number().nullish();
/** Bounds of a confidence interval. */
export const bounds = z.tuple([z.number().nullable(), z.number().nullable()]).nullish();
/** Classes are numbers, or have names. */
export const className = z.union([z.number(), z.string()]).transform(String);
