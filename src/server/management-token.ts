/** What a header can contain. A line break, read from a file with the token, would make it match nothing. */
const TOKEN = /^[!-~]{16,}$/;

/** Whether a value can be `managementToken` of `ksmListener`: 16 or more printable ASCII characters, without spaces. */
export function isManagementToken(token: unknown): token is string {
  return typeof token === 'string' && TOKEN.test(token);
}
