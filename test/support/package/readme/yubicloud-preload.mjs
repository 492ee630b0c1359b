// Preloaded into the apps of the README: redirects connections to Yubico's cloud to the validation server of the test.
import tls from 'node:tls';

const { connect } = tls;

tls.connect = (/** @type {any} */ options) => {
  if (options.host !== 'api.yubico.com') throw new Error(`Nothing may connect to ${options.host}`);
  return connect({ ...options, host: '127.0.0.1', port: Number(process.env.YUBICLOUD_PORT) });
};
