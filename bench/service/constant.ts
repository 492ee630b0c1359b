import { createServer } from 'node:http';
import { formatValidationResponse } from 'passport-yubikey-otp/protocol';

/** Sends one constant answer, of the same length as that of a validation server. */
const body = formatValidationResponse(
  { status: 'OK', otp: 'c'.repeat(44), nonce: '0'.repeat(32), sl: 100 },
  new Date(),
);
const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': body.length };
createServer((_request, response) => {
  response.writeHead(200, headers).end(body);
}).listen(Number(process.argv[2]), '127.0.0.1');
