import { Router } from 'express';
import type Database from 'libsql';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import type { Users } from './users.js';

/** A user and her virtual YubiKey, for trying the app out. Remove this file from an app of your own. */
export interface Demo {
  name: string;
  password: string;
  /** What her YubiKey types when it is touched. */
  press(): string;
  /** What it typed last, as somebody would send who watched. */
  replay(): string;
  /** What a YubiKey types that the app has never heard of. */
  pressStrangersKey(): string;
}

const NAME = 'alice';
const PASSWORD = 'wonderland';

const TABLE = `
  CREATE TABLE IF NOT EXISTS demo_yubikey (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    state TEXT NOT NULL,
    last_otp TEXT
  )
`;

interface Row {
  state: string;
  last_otp: string | null;
}

interface DemoOptions {
  database: Database.Database;
  keys: KeyStore;
  users: Users;
}

/** Seeds the user and the key where they are missing: a second start finds what the first one left. */
export async function openDemo({ database, keys, users }: DemoOptions): Promise<Demo> {
  database.exec(TABLE);
  const read = () => database.prepare('SELECT state, last_otp FROM demo_yubikey').get() as Row | undefined;
  const write = database.prepare(
    'INSERT OR REPLACE INTO demo_yubikey (id, state, last_otp) VALUES (1, ?, ?)',
  );

  const row = read();
  const yubikey = row ? SoftYubikey.fromJSON(JSON.parse(row.state)) : new SoftYubikey();
  const stranger = new SoftYubikey();
  if (!row) write.run(JSON.stringify(yubikey), null);
  await keys.add(yubikey);
  const user = users.byName(NAME) ?? (await users.add(NAME, PASSWORD));
  if (!users.byKey(yubikey.publicId)) users.giveKey(user, yubikey.publicId);

  const press = () => {
    const otp = yubikey.press();
    // A real key counts its touches in its own memory; this one must not forget them at a restart.
    write.run(JSON.stringify(yubikey), otp);
    return otp;
  };
  return {
    name: NAME,
    password: PASSWORD,
    press,
    replay: () => read()?.last_otp ?? press(),
    pressStrangersKey: () => stranger.press(),
  };
}

/** The keys on the demo panel. Its script asks for JSON; without scripts, the OTP comes filled in. */
export function demoRoutes(demo: Demo): Router {
  const router = Router();

  router.post('/demo/press', (req, res) => {
    const otp = press(demo, req.body?.touch);
    if (req.accepts(['json', 'html']) !== 'html') res.json({ otp });
    else if (!req.user) res.redirect('/login');
    else res.render('yubikey', { otp });
  });

  return router;
}

function press(demo: Demo, touch: unknown): string {
  if (touch === 'replay') return demo.replay();
  if (touch === 'stranger') return demo.pressStrangersKey();
  return demo.press();
}
