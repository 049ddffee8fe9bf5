/** What all races of one run have in common. */
export interface Setting {
  threads: number;
  device: 'cpu' | 'cuda';
  /** The grids of long cases; controls are the same in both. */
  size: 'short' | 'full';
  /** Trials a side; left out, by how long a side takes. */
  trials?: number;
}
