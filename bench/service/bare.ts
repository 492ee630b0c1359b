import { createServer } from 'node:http';
import LibsqlDatabase from 'libsql';
import { KsmVerifier, LocalKsm } from 'passport-yubikey-otp';
import { validationListener } from 'passport-yubikey-otp/server';
import { parseKeyring, SealedClientStore, SealedKeyStore, SqliteStore } from 'passport-yubikey-otp/stores';

/** The listener of a validation service alone: without logs, metrics and limits. */
const { YUBIKEY_DB = '', YUBIKEY_MASTER_KEY = '' } = process.env;
const store = new SqliteStore({ database: new LibsqlDatabase(YUBIKEY_DB) });
await store.migrate();
const keyring = parseKeyring(YUBIKEY_MASTER_KEY);
const ksm = new LocalKsm(new SealedKeyStore(store.keys, keyring));
createServer(
  validationListener({
    verifier: new KsmVerifier({ ksm, counters: store.counters }),
    clients: new SealedClientStore(store.clients, keyring),
  }),
).listen(Number(process.argv[2]), '127.0.0.1');
