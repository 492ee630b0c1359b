import type Database from 'libsql';
import { hashOfNothing, hashPassword, isPassword } from './passwords.js';

export interface User {
  id: number;
  name: string;
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS user_keys (
    public_id TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id)
  );
`;

/** Who may sign in, and which YubiKey belongs to whom: one key to one user, any number of keys each. */
export class Users {
  constructor(private readonly database: Database.Database) {
    database.exec(TABLES);
  }

  byId(id: number): User | undefined {
    return this.find('SELECT id, name FROM users WHERE id = ?', id);
  }

  byName(name: string): User | undefined {
    return this.find('SELECT id, name FROM users WHERE name = ?', name);
  }

  byKey(publicId: string): User | undefined {
    return this.find(
      'SELECT id, name FROM users JOIN user_keys ON user_id = id WHERE public_id = ?',
      publicId,
    );
  }

  /** Takes as long for a name that nobody has, so that the time does not tell which names exist. */
  async withPassword(name: string, password: string): Promise<User | undefined> {
    const user = this.byName(name);
    const matches = await isPassword(password, user ? this.passwordHash(user) : hashOfNothing());
    return matches ? user : undefined;
  }

  async add(name: string, password: string): Promise<User> {
    const hash = await hashPassword(password);
    this.database.prepare('INSERT INTO users (name, password_hash) VALUES (?, ?)').run(name, hash);
    return this.byName(name) as User;
  }

  giveKey(user: User, publicId: string): void {
    this.database.prepare('INSERT INTO user_keys (public_id, user_id) VALUES (?, ?)').run(publicId, user.id);
  }

  private find(sql: string, parameter: string | number): User | undefined {
    const row = this.database.prepare(sql).get(parameter) as User | undefined;
    return row && { id: row.id, name: row.name };
  }

  private passwordHash(user: User): string {
    const row = this.database.prepare('SELECT password_hash FROM users WHERE id = ?').get(user.id);
    return (row as { password_hash: string }).password_hash;
  }
}
