import type { Command } from 'commander';
import type { Otp } from 'passport-yubikey-otp';
import { decodeModhex } from 'passport-yubikey-otp/protocol';
import { Refusal } from '../terminal/failure.js';
import type { GlobalOptions } from '../terminal/global-options.js';
import { readOtp, readOtpText } from '../terminal/otp-input.js';
import { printFields, printJson, say } from '../terminal/output.js';

type Origin = 'factory' | 'uploaded' | 'own';

const ORIGINS: Readonly<Record<Origin, string>> = {
  factory: 'cc: programmed by Yubico, and known to YubiCloud',
  uploaded: 'vv: programmed by its owner, who may have uploaded it to YubiCloud',
  own: 'programmed by its owner',
};

/** `yubikey-otp inspect [OTP]` */
export function addInspect(program: Command): void {
  program
    .command('inspect')
    .argument('[otp]', 'the OTP; without it, or with -, asks for a touch or reads a line of standard input')
    .description(
      'show what can be read from an OTP without its key; verifies nothing, and does not use it up',
    )
    .action(async (argument: string | undefined, _options: unknown, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      const text = await readOtpText(argument);
      const parsed = readOtp(text);
      if ('problem' in parsed) throw new Refusal(parsed.problem);
      if (json)
        await printJson({
          ...collectFacts(parsed.otp),
          undone: listCorrections(text, parsed.otp),
          verified: false,
        });
      else await printFields(formatFields(text, parsed.otp));
      say(
        'Nothing was verified, and the OTP is not used up. To check whether it is genuine and fresh: yubikey-otp verify',
      );
    });
}

/** Leaves out the token: until the OTP is used, anyone who can read it can use it. */
function collectFacts({ value, publicId, token }: Otp) {
  const hex = formatHex(publicId);
  return {
    publicId,
    publicIdHex: hex,
    publicIdDecimal: hex === '' ? null : String(BigInt(`0x${hex}`)),
    origin: detectOrigin(publicId),
    serial: readSerial(publicId) ?? null,
    length: value.length,
    tokenLength: token.length,
  };
}

function formatFields(text: string, otp: Otp): Record<string, string> {
  const { publicId, publicIdHex, publicIdDecimal, origin, serial, length, tokenLength } = collectFacts(otp);
  return {
    'Public ID': publicId || '(empty)',
    ...(publicIdDecimal === null ? {} : { 'In hexadecimal': publicIdHex, 'In decimal': publicIdDecimal }),
    Origin: ORIGINS[origin],
    ...(serial === null ? {} : { 'Serial number': `${serial}, unless the public ID was chosen freely` }),
    Letters: `${length}: a public ID of ${publicId.length} and a token of ${tokenLength}, which is not shown`,
    Corrected: listCorrections(text, otp).join(', ') || 'nothing',
  };
}

function detectOrigin(publicId: string): Origin {
  if (publicId.length === 12 && publicId.startsWith('cc')) return 'factory';
  return publicId.startsWith('vv') ? 'uploaded' : 'own';
}

/** The serial number, which Yubico (`cccc`) and `ykman --serial-public-id` (`vvcc`) put into the last four bytes. */
function readSerial(publicId: string): number | undefined {
  const [, letters] = /^(?:cccc|vvcc)(.{8})$/.exec(publicId) ?? [];
  return letters === undefined ? undefined : decodeModhex(letters).readUInt32BE();
}

/** The public ID in hexadecimal, one digit for a letter. It may have an odd number of letters. */
function formatHex(publicId: string): string {
  const padding = 'c'.repeat(publicId.length % 2);
  return decodeModhex(padding + publicId)
    .toString('hex')
    .slice(padding.length);
}

/** The ways in which the text differs from the OTP. */
function listCorrections(text: string, { value }: Otp): string[] {
  const trimmed = text.trim();
  const isUrl = trimmed.includes('://');
  const typed = isUrl ? trimmed.slice(-value.length) : trimmed;
  const found = {
    'white space around it': trimmed !== text,
    'the URL of an NFC tag': isUrl,
    'capitals (caps lock?)': typed !== typed.toLowerCase(),
    'another keyboard layout': typed.toLowerCase() !== value,
  };
  return Object.entries(found).flatMap(([what, isThere]) => (isThere ? [what] : []));
}
