import type { Generated } from 'kysely';

/** The app's tables. Times are ISO 8601 and flags are 0 or 1, which read the same in SQLite and PostgreSQL. */
export interface Tables {
  accounts: {
    id: string;
    name: string;
    /** The name for lookups, normalised and in lower case. */
    name_key: string;
    password_hash: string;
    /** Sessions with a lower generation have ended. */
    generation: Generated<number>;
    /** 1 if a key may sign in without the password. */
    key_alone: Generated<number>;
  };
  account_keys: {
    public_id: string;
    account_id: string;
    name: string;
    added_at: string;
  };
  recovery_codes: {
    account_id: string;
    hash: string;
  };
  activity: {
    id: string;
    account_id: string;
    at: string;
    event: string;
    public_id: string | null;
    key_name: string | null;
    address: string;
  };
  demo_yubikeys: {
    public_id: string;
    /** The key's state as JSON, including its secrets: a virtual key has no other place for them. */
    state: string;
    last_otp: string | null;
    touched_at: string | null;
    made_at: string;
  };
}
