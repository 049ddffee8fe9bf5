import { Model, type Tensor } from '../../lib/index.js';
import { asked, tell } from '../trial.js';

const { args } = asked();
const model = await Model.load(args[0] ?? '');
const size = 3 * 32 * 32;
const input = { data: new Float32Array(size).fill(0.5), shape: [1, 3, 32, 32] };
const logits = (await model.forward([input])) as Tensor;
const squares = (logits.data as Float32Array).reduce((sum, value) => sum + value * value, 0);
tell(null, squares, { versions: { node: process.version }, seed: 1 });
