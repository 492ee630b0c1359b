import type { Command } from 'commander';
import { addCountersExport } from './export.js';
import { addCountersImport } from './import.js';

/** `yubikey-otp counters …` */
export function addCounters(program: Command): void {
  const counters = program.command('counters').description('the counters that refuse used OTPs');
  addCountersImport(counters);
  addCountersExport(counters);
}
