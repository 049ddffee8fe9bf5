export type DType =
  | 'float32'
  | 'float64'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'int8'
  | 'bool'
  | 'float16'
  | 'bfloat16';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Int8Array
  | Uint16Array;

/**
 * Numbers with a shape. `dtype` follows from the array where it can: int64 is a BigInt64Array; bool (a
 * Uint8Array), float16 and bfloat16 (bits in a Uint16Array) must be named.
 */
export interface Tensor {
  data: TypedArray;
  shape: number[];
  dtype?: DType;
}

/** What a model takes and returns. */
export type Value = Tensor | number | boolean | string | null | Value[] | { [key: string]: Value };
