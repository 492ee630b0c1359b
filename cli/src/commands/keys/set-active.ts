import type { Command } from 'commander';
import { setActive as setRecordsActive } from '../records/set-active.js';
import { KEY } from './kind.js';

/** Makes keys active or not, one after another; the exit code tells whether all were there. */
export function setActive(ids: readonly string[], active: boolean, command: Command): Promise<void> {
  return setRecordsActive(KEY, ids, active, command);
}
