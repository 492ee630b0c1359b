import type { KeyRecord } from 'passport-yubikey-otp/stores';
import { parsePublicId } from '../../transfer/public-id.js';
import type { RecordKind } from '../records/kind.js';

export const KEY: RecordKind<KeyRecord> = {
  noun: 'key',
  idArgument: { flags: '<public-id...>', description: 'public IDs of the keys' },
  descriptions: {
    list: 'list the keys; needs no master key',
    disable: 'refuse OTPs of these keys until they are enabled again; needs no master key',
    enable: 'accept OTPs of these keys again; needs no master key',
    delete:
      'delete these keys; their counters stay, so that old OTPs are never accepted; needs no master key',
  },
  idName: 'publicId',
  idColumn: { title: 'PUBLIC ID', width: 16, text: ({ publicId }) => publicId || '(empty)' },
  toId: ({ publicId }) => publicId,
  parseId: parsePublicId,
  formatName: (publicId) => publicId,
  howToMakeOne: 'store one with: yubikey-otp keys add',
  secrets: 'AES keys',
  selectStore: ({ keys }) => keys,
};
