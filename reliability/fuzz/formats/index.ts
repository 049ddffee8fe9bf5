import type { Format } from '../format.js';
import { archive } from './archive.js';
import { cifar, idx, npy, npz, safetensors } from './arrays.js';
import { checkpoint } from './checkpoint.js';
import { images } from './images.js';

export const formats: readonly Format[] = [archive, idx, npy, npz, safetensors, cifar, images, checkpoint];
