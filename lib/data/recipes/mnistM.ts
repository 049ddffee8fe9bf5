import { EspalierError } from '../../errors.js';
import { Random } from '../random.js';
import { digits, type Images, type Recipe, type RoleName } from '../recipe.js';
import { readMnist } from './mnist.js';

const kSize = 28;
const kPixels = kSize * kSize;
const kPhotographs = ['sklearn/datasets/images/china.jpg', 'sklearn/datasets/images/flower.jpg'];
// Photographs are cut into upright strips; every fourth is for report, so that no crop of one role shares a
// pixel with a crop of the other.
const kStripWidth = 80;

interface Photograph {
  width: number;
  height: number;
  data: Buffer;
}

export const mnistM: Recipe = {
  name: 'mnist-m',
  version: 1,
  shape: [3, kSize, kSize],
  classNames: digits,
  source: 'digits of mnist over the photographs china.jpg and flower.jpg in scikit-learn',
  licence: 'CC BY-SA 3.0 (digits); CC BY 2.0 (photographs by danielbuechele and vultilion)',
  recipe:
    '|crop - digit| per channel (Ganin et al. 2016, there with crops of BSDS500); fit from the fit digits and ' +
    'three of four 80-pixel strips of the photographs, report from the report digits and every fourth strip',
  async make(kitchen) {
    const files: Buffer[] = [];
    for (const photograph of kPhotographs) files.push(await kitchen.fromWheel(photograph));
    const photographs = await kitchen.step('decodes two photographs', () => decode(files));
    const make = async (role: RoleName) => {
      const { data, labels } = await readMnist(kitchen, role);
      return kitchen.step(`lays ${labels.length.toLocaleString('en')} digits over crops for ${role}`, () => ({
        data: blend(data, photographs, role, kitchen.seed),
        labels,
      }));
    };
    return { fit: await make('fit'), report: await make('report') };
  },
};

async function loadSharp() {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new EspalierError('ERR_IO', 'mnist-m: needs sharp to decode photographs; run `npm install sharp`', {
      cause,
    });
  }
}

async function decode(files: Buffer[]): Promise<Photograph[]> {
  const sharp = await loadSharp();
  return Promise.all(
    files.map(async (file) => {
      const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
      return { data, width: info.width, height: info.height };
    }),
  );
}

function blend(
  digitsOfRole: Images['data'],
  photographs: Photograph[],
  role: RoleName,
  seed: number,
): Uint8Array {
  const count = digitsOfRole.length / kPixels;
  const blended = new Uint8Array(count * 3 * kPixels);
  for (let i = 0; i < count; ++i) {
    const random = new Random(`mnist-m/${seed}/${role}/${i}`);
    const photograph = random.pick(photographs);
    const { left, top } = placeCrop(photograph, role, random);
    for (let y = 0; y < kSize; ++y) {
      for (let x = 0; x < kSize; ++x) {
        const digit = digitsOfRole[i * kPixels + y * kSize + x]!;
        const from = ((top + y) * photograph.width + left + x) * 3;
        const to = i * 3 * kPixels + y * kSize + x;
        for (let channel = 0; channel < 3; ++channel) {
          blended[to + channel * kPixels] = Math.abs(photograph.data[from + channel]! - digit);
        }
      }
    }
  }
  return blended;
}

export function placeCrop(
  { width, height }: Pick<Photograph, 'width' | 'height'>,
  role: RoleName,
  random: Random,
): { left: number; top: number } {
  const strips = Array.from({ length: Math.floor(width / kStripWidth) }, (_, strip) => strip).filter(
    (strip) => (strip % 4 === 1) === (role === 'report'),
  );
  return {
    left: random.pick(strips) * kStripWidth + random.below(kStripWidth - kSize + 1),
    top: random.below(height - kSize + 1),
  };
}
