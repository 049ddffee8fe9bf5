import type { Specification } from './blocks.js';

// As much of Vega as is used. Their own declarations need the browser's types, so the compiler is not shown them.
interface Vega {
  parse(specification: object): object;
  View: new (
    runtime: object,
    options: { renderer: 'none'; logLevel: number },
  ) => { toSVG(): Promise<string>; finalize(): void };
  Error: number;
}
interface VegaLite {
  compile(specification: Specification, options: { logger: Logger }): { spec: object };
}
type Level = 'error' | 'warn' | 'info' | 'debug';
type Logger = { [name in Level]: () => Logger } & { level: () => number };
const kVega: string = 'vega';
const kVegaLite: string = 'vega-lite';

/** The picture of a Vega-Lite specification. Vega is loaded when the first picture is drawn. */
export async function toSvg(specification: Specification): Promise<string> {
  const [vega, vegaLite] = (await Promise.all([import(kVega), import(kVegaLite)])) as [Vega, VegaLite];
  const { spec } = vegaLite.compile(specification, { logger: silent });
  const view = new vega.View(vega.parse(spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

// Its warnings are about the specification, not about the report: nothing for the reader's terminal.
const silent: Logger = {
  error: () => silent,
  warn: () => silent,
  info: () => silent,
  debug: () => silent,
  level: () => 0,
};
