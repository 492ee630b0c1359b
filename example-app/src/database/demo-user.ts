/** The user of every demo. Her password is public. */
export const DEMO_USER = { name: 'alice', password: 'wonderland' };
