import { isClientId } from 'passport-yubikey-otp/protocol';
import type { ClientRecord } from 'passport-yubikey-otp/stores';
import { SetupError } from '../../terminal/failure.js';
import type { RecordKind } from '../records/kind.js';

export const CLIENT: RecordKind<ClientRecord> = {
  noun: 'client',
  idArgument: { flags: '<id...>', description: 'ids of the clients' },
  descriptions: {
    list: 'list the clients; needs no master key',
    disable: 'refuse requests of these clients until they are enabled again; needs no master key',
    enable: 'accept requests of these clients again; needs no master key',
    delete: 'delete these clients and their API keys; needs no master key',
  },
  idName: 'id',
  idColumn: { title: 'ID', width: 8, text: ({ id }) => id },
  toId: ({ id }) => id,
  parseId: parseClientId,
  formatName: (id) => `Client ${id}`,
  howToMakeOne: 'make one with: yubikey-otp clients new',
  secrets: 'API keys',
  selectStore: ({ clients }) => clients,
};

/** @throws SetupError */
export function parseClientId(text: string): string {
  if (isClientId(text)) return text;
  throw new SetupError('A client id has 1 to 20 decimal digits, such as 42');
}
