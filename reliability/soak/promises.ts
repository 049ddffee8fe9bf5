import type { Series } from './measure.js';

/** A sentence that the figures must bear out. */
export interface Promised {
  text: string;
  measured: string;
  /** null: too little was done to tell. */
  holds: boolean | null;
}

export interface Phase {
  name: string;
  title: string;
  /** Of a full round. */
  count: number;
  /** Of the time of a round. */
  share: number;
  promises(figures: never): Promised[];
}

const kMostGrowth = 0.03;
const kMostLagMs = 10;
const kMostStopMs = 1000;
/** Below this many, quarters say nothing. */
const kFewest = 40;
/** Below this many, no full collection needs to have come. */
const kFewestForgotten = 500;

/** The phases of a round, and what each promises. */
export const phases: Phase[] = [
  {
    name: 'jobs',
    title: 'small jobs',
    count: 1000,
    share: 0.3,
    promises: (figures: Series) => [memoryFlat(figures), handlesFlat(figures)],
  },
  {
    name: 'cycles',
    title: 'models loaded and disposed',
    count: 1000,
    share: 0.15,
    promises: (figures: Series) => [memoryFlat(figures), handlesFlat(figures)],
  },
  {
    name: 'forgotten',
    title: 'models loaded and forgotten',
    count: 1000,
    share: 0.15,
    promises: (figures: Series & { modelMegabytes: number; grownMegabytes: number }) => [
      collected(figures),
      handlesFlat(figures),
    ],
  },
  {
    name: 'workers',
    title: 'Workers terminated in the middle of a run',
    count: 50,
    share: 0.2,
    promises: (figures: WorkerFigures) => [
      {
        text: `terminate() returns within a batch and ${kMostStopMs} ms`,
        measured: `slowest of ${figures.done}: ${figures.slowestMs} ms`,
        holds: figures.slowestMs < kMostStopMs,
      },
      {
        text: 'eight Workers load, train and end at once; loaded, given back, loaded again',
        measured: `${figures.together} of 8 ended with 0; reloading ${words(figures.reloaded)}`,
        holds: figures.together === 8 && figures.reloaded,
      },
      {
        text: "the main thread's run goes on meanwhile",
        measured: words(figures.mainWentOn),
        holds: figures.mainWentOn,
      },
      handlesFlat(figures),
    ],
  },
  {
    name: 'together',
    title: 'runs at once',
    count: 8,
    share: 0.1,
    promises: (figures: TogetherFigures) => [
      {
        text: `the event loop's p99 lag, the median of several windows, stays under ${kMostLagMs} ms`,
        measured: `${figures.lagP99Ms} ms (idle ${figures.idleLagP99Ms} ms; at most ${figures.lagMaxMs} ms)`,
        holds: figures.lagP99Ms < kMostLagMs,
      },
      {
        text: 'runs queue in the order of the calls, and a queued one is cancelled at once',
        measured: words(figures.queuedInOrder && figures.queuedCancelled),
        holds: figures.queuedInOrder && figures.queuedCancelled,
      },
      {
        text: 'cancellation of one leaves the others',
        measured: `${words(figures.cancelledAlone)}; it ended after ${figures.cancelMs} ms`,
        holds: figures.cancelledAlone,
      },
    ],
  },
  {
    name: 'dropped',
    title: 'runs that nobody awaits',
    count: 100,
    share: 0.1,
    promises: (figures: DroppedFigures) => [
      {
        text: 'a failed run that nobody awaits is one unhandled rejection, a listener that throws one uncaught exception, nothing else is',
        measured: `${figures.unhandled} of ${figures.failed}, ${figures.uncaught} of ${figures.listeners}, ${figures.strangers} others`,
        holds:
          figures.unhandled === figures.failed &&
          figures.uncaught === figures.listeners &&
          figures.strangers === 0,
      },
      {
        text: 'a consumer or listener that throws loses neither result nor reason',
        measured: `${figures.consumers + figures.listeners} of ${figures.throwing} kept`,
        holds: figures.throwing > 0 && figures.consumers + figures.listeners === figures.throwing,
      },
      handlesFlat(figures),
    ],
  },
];

type WorkerFigures = Series & {
  slowestMs: number;
  reloaded: boolean;
  together: number;
  mainWentOn: boolean;
};

interface TogetherFigures {
  idleLagP99Ms: number;
  lagP99Ms: number;
  lagMaxMs: number;
  cancelMs: number;
  cancelledAlone: boolean;
  queuedInOrder: boolean;
  queuedCancelled: boolean;
}

type DroppedFigures = Series & {
  failed: number;
  throwing: number;
  consumers: number;
  listeners: number;
  unhandled: number;
  uncaught: number;
  strangers: number;
};

function memoryFlat({ residentMegabytes, done }: Series): Promised {
  const [, second = 0, , last = 0] = residentMegabytes;
  const grown = last / second - 1;
  return {
    text: `resident memory is flat: the last quarter within ${kMostGrowth * 100} % of the second`,
    measured: `${residentMegabytes.map((megabytes) => megabytes.toFixed(0)).join(', ')} MB; ${(grown * 100).toFixed(1)} %`,
    holds: done < kFewest ? null : grown < kMostGrowth,
  };
}

function handlesFlat({ early, late }: Series): Promised {
  const show = (of: typeof early) =>
    `${of.descriptors} descriptors, ${of.threads} threads, ${of.resources} resources`;
  return {
    text: 'descriptors, threads and resources of the event loop are as many at the end as after the first quarter',
    measured: `${show(early)}; ${show(late)}`,
    holds:
      late.descriptors <= early.descriptors &&
      late.threads <= early.threads &&
      late.resources <= early.resources,
  };
}

function collected(figures: Series & { modelMegabytes: number; grownMegabytes: number }): Promised {
  const { done, modelMegabytes, grownMegabytes, residentMegabytes } = figures;
  const total = done * modelMegabytes;
  return {
    text: 'garbage collection alone keeps memory bounded, below half of what was made',
    measured: `at most ${grownMegabytes.toFixed(0)} MB above the start, ${total.toFixed(0)} MB made; by quarter ${residentMegabytes.map((megabytes) => megabytes.toFixed(0)).join(', ')} MB`,
    holds: done < kFewestForgotten ? null : grownMegabytes < total / 2,
  };
}

const words = (holds: boolean) => (holds ? 'yes' : 'no');
