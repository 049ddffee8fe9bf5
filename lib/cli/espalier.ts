import { type SampleName, sampleNames } from '../data/index.js';
import { Dataset } from '../dataset.js';
import { Domain } from '../domain.js';
import { expected } from '../errors.js';
import { Key } from '../key.js';
import { Mask } from '../mask.js';
import { allMethods } from '../methods.js';
import { type Architecture, Model } from '../model.js';
import { handleClasses, type Noun } from '../schema/handle.js';
import { Trail } from '../trail.js';
import type { ImageShape, Library } from './library.js';
import { UsageError } from './usage.js';

/** The library itself, as the commands see it. */
export const espalier: Library = {
  methods: allMethods,
  samples: sampleNames,

  saves: (noun) => 'save' in handleClasses[noun as Noun].prototype,

  async open(noun, path, { device, trust }) {
    if (noun === 'Model') return await Model.load(path, { device, trust });
    if (noun === 'Dataset') return await Dataset.open(path);
    if (noun === 'Mask') return await Mask.load(path);
    if (noun === 'Key') return await Key.load(path);
    if (noun === 'Trail') return await Trail.load(path);
    throw expected('a noun that is a file', 'the file', noun);
  },

  async create({ architecture, classes, ...options }) {
    if (classes === undefined) throw new UsageError('expected --classes, or a domain that has classes');
    return await Model.create(architecture as Architecture, { classes, ...options });
  },

  async imagesOf(handles) {
    const shapes: ImageShape[] = [];
    for (const handle of handles) if (handle instanceof Model) shapes.push(await imagesOfModel(handle));
    const [first] = shapes;
    const other = shapes.find(({ channels, size }) => channels !== first?.channels || size !== first.size);
    if (first === undefined || other === undefined) return first;
    throw new UsageError(
      `expected models of one kind of image, received ${say(first)} and ${say(other)}: measure them one by one`,
    );
  },

  sample: async (name, images) => await Domain.sample(name as SampleName, images),
  domain: async (description) =>
    await Domain.open(description as unknown as Parameters<typeof Domain.open>[0]),
};

const say = ({ channels, size }: ImageShape) => `${channels} x ${size} x ${size}`;

const kSize = 32;

// A convolution tells the channels; the size is only where the model's manifest says it.
async function imagesOfModel(model: Model): Promise<ImageShape> {
  const { manifest } = await model.inspect();
  const facts = manifest as { architecture?: { inputSize?: number }; preprocessing?: { size?: number } };
  const convolution = model.layers.find(({ kind }) => /conv/i.test(kind));
  const size = facts.preprocessing?.size ?? facts.architecture?.inputSize ?? kSize;
  return { channels: convolution?.inChannels ?? 3, size };
}
