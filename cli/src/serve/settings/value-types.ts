import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

declare module 'zod' {
  interface GlobalMeta {
    /** The name of the value in the help of an option. */
    argument?: string | undefined;
  }
}

// The description of a type says in words what it takes.

export const where = text('where');
export const path = text('path');
export const file = text('file');
export const address = text('address');
export const port = wholeNumber(65_535);
/** Times a minute; 0 for no limit. */
export const rate = wholeNumber(1_000_000_000);
export const yesOrNo = z.boolean().describe('true or false');
export const addresses = addressList([]);
/** Addresses, or the names of the ranges that proxies usually have. */
export const proxies = addressList(['loopback', 'linklocal', 'uniquelocal']);
export const logLevel = choice(['error', 'warn', 'info', 'debug', 'silent'], 'level');

function text(argument: string) {
  return z.string().min(1).meta({ description: 'a text', argument });
}

function wholeNumber(max: number) {
  const description = `a whole number from 0 to ${max}`;
  return z.int().min(0).max(max).meta({ description, argument: 'number' });
}

function addressList(names: readonly string[]) {
  const takes = 'addresses and ranges such as 10.0.0.0/8, separated by commas (in a file: a list of texts)';
  const description = names.length === 0 ? takes : `${takes}, or ${names.join(', ')}`;
  const entry = z.string().refine((text) => names.includes(text) || isAddressOrRange(text));
  return z.array(entry).min(1).meta({ description, argument: 'addresses' });
}

function isAddressOrRange(entry: string): boolean {
  const [address = '', length] = entry.split('/');
  return isIP(address) !== 0 && (length === undefined || ipaddr.isValidCIDR(entry));
}

function choice(choices: readonly string[], argument: string) {
  return z.enum(choices).meta({ description: `one of ${choices.join(', ')}`, argument });
}

/** Reads the text of an option or a variable as a value of the type. Returns a text that does not fit as it is. */
export function readValue(typed: string, type: z.ZodType): unknown {
  switch (type.def.type) {
    case 'number':
      return /^\d+$/.test(typed) ? Number(typed) : typed;
    case 'boolean':
      return { true: true, false: false }[typed] ?? typed;
    case 'array':
      return typed.split(',').map((entry) => entry.trim());
    default:
      return typed;
  }
}
