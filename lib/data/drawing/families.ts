import type { Package } from '../sources/npm.js';

/** Faces that look alike: regular, bold, italic. */
export interface Family {
  name: string;
  /** Families that only report uses show whether a network learned digits or faces. */
  onlyReport: boolean;
  pack: Package;
  files: readonly string[];
}

const dejavuFonts: Package = {
  name: 'dejavu-fonts-ttf',
  version: '2.37.3',
  bytes: 5_494_986,
  integrity:
    'sha512-f1hd7jJbeQa1VWcw+K2KrTXS50zTMaHpVC4XIKJpNcDeYR5ajMtj/iLlQDYNvLOKamUB3ARVVCf79lNwNVztSQ==',
};

function dejavu(name: string, ...styles: string[]): Family {
  const files = styles.map((style) => `ttf/${name}${style}.ttf`);
  return { name, onlyReport: false, pack: dejavuFonts, files };
}

function fontsource(id: string, bytes: number, integrity: string, ...styles: string[]) {
  const pack: Package = {
    name: `@fontsource/${id}`,
    version: '5.3.0',
    bytes,
    integrity: `sha512-${integrity}`,
  };
  const files = styles.map((style) => `files/${id}-latin-${style}.woff`);
  return { name: id, onlyReport: false, pack, files };
}

function onlyReport(family: Family): Family {
  return { ...family, onlyReport: true };
}

const kFour = ['400-normal', '400-italic', '700-normal', '700-italic'];

/** The families of `syn`: Bitstream Vera licence (DejaVu) and SIL Open Font License 1.1 (all others). */
export const families: readonly Family[] = [
  dejavu('DejaVuSans', '', '-Bold', '-Oblique', '-BoldOblique', '-ExtraLight'),
  dejavu('DejaVuSansCondensed', '', '-Bold', '-Oblique', '-BoldOblique'),
  dejavu('DejaVuSansMono', '', '-Bold', '-Oblique', '-BoldOblique'),
  dejavu('DejaVuSerif', '', '-Bold', '-Italic', '-BoldItalic'),
  fontsource(
    'courier-prime',
    241_987,
    'KIi1k4VG1Wv+/CGpb1AUpLkUuOAQA6zmvthqxOZGN0AV8BEgQgbK7qAtquv14zsBJAY1bb5BHIEbWVFLgENh0w==',
    ...kFour,
  ),
  fontsource(
    'comic-neue',
    221_867,
    'uZsyUTExw8tCySNhL65dN6rEUhASMPGintSS5Kw/ZkrQTK1vcAgramzOLT/mZKtZ+EXr03MHj0s5osVVJITCow==',
    ...kFour,
  ),
  fontsource(
    'crimson-text',
    608_213,
    'W1kLgOlsCD/8DhUNECgYvyx86+t3wAvA0w09juD3XtmwAtV6vuSEwijN4q8fnQ1LgQWV377jQiL8dpSYwLnoAw==',
    ...kFour,
  ),
  fontsource(
    'oswald',
    565_176,
    '16r2aHActe0pH+9FLdk/74/YxXM7HpGak05kAzx3RvSToiJwGvyhv6GvckPz+YuZmvL1nxWbEop2jAXRcXYPRg==',
    '300-normal',
    '500-normal',
    '700-normal',
  ),
  fontsource(
    'patrick-hand',
    99_377,
    'V8C38IlIFfdWg0Xtri3F7sLCVpm069rUwn6w4n+oyn38gt7H4arOJmuReg3tAw1Q6jHqZp89wTnAAJagq4Atxw==',
    '400-normal',
  ),
  fontsource(
    'abril-fatface',
    54_881,
    'voKCJEhGGZNdlk+OS3uFRSDV/HWbs6TAy7qKe9wXq96Uzwadfksyk5eyXLa1T5FkEazBgpHRMRSFBKfA3rbKbg==',
    '400-normal',
  ),
  fontsource(
    'righteous',
    52_789,
    'xr3w0E1jtc7xoXLfgJrcaKqWjvh5XiAAthVLrl9v9HKC7TfwMy3nARytetfi2GIgo51+aWsEJ51Uyd3XEXbj/A==',
    '400-normal',
  ),
  fontsource(
    'kalam',
    720_217,
    'FDkVoDfPDCSN/eO81FOYtUI67eMgpVBJmjBtAqSL0PmEhJyeFY2biC+CR+yEttksgXR9+swpFdYmQTyjwBq80Q==',
    '300-normal',
    '400-normal',
    '700-normal',
  ),
  onlyReport(
    fontsource(
      'pt-serif',
      638_872,
      'ST+j/byBGZw6H+TQMX78o6Qlngfj2Va/Q9fAJxq54Is1ZQk1/FhBIuqyJcLmnpi0trG8V/hWO9Bx6ZY09A0DBQ==',
      ...kFour,
    ),
  ),
  onlyReport(
    fontsource(
      'fredoka',
      261_894,
      's2IhjQ50wDnKkkaKmjhtL0rxQg6ITsVusiipM3m7zUwVZZbbCKsscNDkngwp28xVzfIt7neWrkgU1qKqyTycQg==',
      '300-normal',
      '500-normal',
      '700-normal',
    ),
  ),
  onlyReport(
    fontsource(
      'space-mono',
      293_964,
      'FrpBMOVWn3PRdRHlrZWC55X3kZG/2BTH7SM5ZyS/bky3iKya2BturI5lk+t0RoDQL2JyHzURsVq/EisCsxpI5A==',
      ...kFour,
    ),
  ),
  onlyReport(
    fontsource(
      'architects-daughter',
      51_081,
      'uezOgAlbhmf9nDW69VYq31lXNA+0uRFWXBGCSFWLXVcrNESFHpNjvu11kJss1PMsfH/YKz1hnnYB+JSNI/t+ew==',
      '400-normal',
    ),
  ),
];
