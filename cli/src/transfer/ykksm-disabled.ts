/**
 * Prints the public IDs that yubikey-ksm decrypts nothing for, so also where `active` is NULL; for psql alike. A file of
 * ykksm-export does not hold that column.
 */
const PRINT_DISABLED = "mysql -NBe 'SELECT publicname FROM yubikeys WHERE active IS NOT TRUE' ykksm";

/**
 * The command line that disables what yubikey-ksm had disabled, run where its database is.
 *
 * @param command How this command is called on the database here.
 */
export function disableAsYkksm(command = 'yubikey-otp'): string {
  return `${PRINT_DISABLED} | xargs -r ${command} keys disable`;
}

/** What a file of yubikey-ksm cannot say, and the command that carries it over. */
export function adviceOnDisabledKeys(command: string): string {
  return `Files of yubikey-ksm do not say which keys it had disabled: those are active here. If these keys come from there, this disables them, run where its database is (PostgreSQL: psql -Atc in place of mysql -NBe), once they are imported:
  ${disableAsYkksm(command)}`;
}
