import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { Kind } from './serve-settings.js';

/** How a kind of setting is read. */
interface SettingReader {
  /** The values it takes, in words. */
  readonly takes: string;
  readonly schema: z.ZodType;
  /** Reads text of the command line or the environment. Text that does not fit is returned as it is, for the schema to refuse. */
  fromText(text: string): unknown;
}

export const KINDS: Readonly<Record<Kind, SettingReader>> = {
  text: { takes: 'a text', schema: z.string().min(1), fromText: (text) => text },
  port: whole(65_535),
  rate: whole(1_000_000_000),
  yesOrNo: {
    takes: 'true or false',
    schema: z.boolean(),
    fromText: (text) => ({ true: true, false: false })[text] ?? text,
  },
  addresses: addresses([]),
  proxies: addresses(['loopback', 'linklocal', 'uniquelocal']),
  logLevel: choice(['error', 'warn', 'info', 'debug', 'silent']),
};

function whole(max: number): SettingReader {
  return {
    takes: `a whole number from 0 to ${max}`,
    schema: z.int().min(0).max(max),
    fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text),
  };
}

function addresses(names: readonly string[]): SettingReader {
  const takes = 'addresses and ranges such as 10.0.0.0/8, separated by commas (in a file: a list of texts)';
  return {
    takes: names.length === 0 ? takes : `${takes}, or ${names.join(', ')}`,
    schema: z.array(z.string().refine((entry) => names.includes(entry) || isAddressOrRange(entry))).min(1),
    fromText: (text) => text.split(',').map((entry) => entry.trim()),
  };
}

function isAddressOrRange(entry: string): boolean {
  const [address = '', length] = entry.split('/');
  return isIP(address) !== 0 && (length === undefined || ipaddr.isValidCIDR(entry));
}

function choice(choices: readonly string[]): SettingReader {
  return { takes: `one of ${choices.join(', ')}`, schema: z.enum(choices), fromText: (text) => text };
}
