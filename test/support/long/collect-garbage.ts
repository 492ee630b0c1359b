import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Collects garbage now, so that what remains of the heap is in use. Needs no flag at the start of the process. */
export const collectGarbage: () => void = runInNewContext('gc');
