import type { KeyRecord } from 'passport-yubikey-otp/stores';
import { publicIdOf } from '../../transfer/public-id.js';
import type { RecordKind } from '../records/kind.js';

export const KEY: RecordKind<KeyRecord> = {
  noun: 'key',
  idName: 'publicId',
  idColumn: { title: 'PUBLIC ID', width: 16, text: ({ publicId }) => publicId || '(empty)' },
  idOf: ({ publicId }) => publicId,
  parseId: publicIdOf,
  nameOf: (publicId) => publicId,
  howToMakeOne: 'store one with: yubikey-otp keys add',
  secrets: 'AES keys',
  storeOf: ({ keys }) => keys,
};
