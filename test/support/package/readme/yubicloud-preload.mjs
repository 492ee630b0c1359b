// Loaded before what the README prints: a connection to Yubico's cloud arrives at the test's validation server.
import tls from 'node:tls';

const { connect } = tls;

tls.connect = (/** @type {any} */ options) => {
  if (options.host !== 'api.yubico.com') throw new Error(`Nothing may connect to ${options.host}`);
  return connect({ ...options, host: '127.0.0.1', port: Number(process.env.YUBICLOUD_PORT) });
};
