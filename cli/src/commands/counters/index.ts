import type { Command } from 'commander';
import { addCountersExport } from './export.js';
import { addCountersImport } from './import.js';

/** `yubikey-otp counters …` */
export function addCounters(program: Command): void {
  const counters = program
    .command('counters')
    .description('import and export counters, which decide whether an OTP was used before');
  addCountersImport(counters);
  addCountersExport(counters);
}
