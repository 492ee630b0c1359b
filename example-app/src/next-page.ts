/** The pages that a sign-in step may lead back to. The list is closed, so that no link redirects to another site. */
const NEXT_PAGES = [
  '/account',
  '/account/keys',
  '/account/keys/add',
  '/account/recovery-codes',
  '/account/activity',
];

/** The wanted page, if it is one of the allowed ones. */
export function nextPage(wanted: unknown): string | undefined {
  return NEXT_PAGES.find((page) => page === wanted);
}

/** The address with a parameter for the page to return to afterwards. */
export function withNext(address: string, wanted: unknown): string {
  const page = nextPage(wanted);
  if (!page) return address;
  return `${address}${address.includes('?') ? '&' : '?'}next=${encodeURIComponent(page)}`;
}
