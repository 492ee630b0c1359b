import type { Generated } from 'kysely';

/** Times are ISO 8601, and flags 0 or 1: both read the same in SQLite and PostgreSQL. */
export interface Tables {
  accounts: {
    id: string;
    name: string;
    /** The name as it is looked up: in one spelling and case. */
    name_key: string;
    password_hash: string;
    /** Sessions of an older generation have ended. */
    generation: Generated<number>;
    /** Whether a key alone may sign in. */
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
    /** Secrets too, since this key has no other place to be. */
    state: string;
    last_otp: string | null;
    touched_at: string | null;
    made_at: string;
  };
}
