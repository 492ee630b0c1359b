/** Where a step on the way may lead back to. Nothing else, so no link leads from here to another site. */
const NEXT_PAGES = [
  '/account',
  '/account/keys',
  '/account/keys/add',
  '/account/recovery-codes',
  '/account/activity',
];

export function nextPage(wanted: unknown): string | undefined {
  return NEXT_PAGES.find((page) => page === wanted);
}

/** An address that leads back to a page afterwards. */
export function withNext(address: string, wanted: unknown): string {
  const page = nextPage(wanted);
  if (!page) return address;
  return `${address}${address.includes('?') ? '&' : '?'}next=${encodeURIComponent(page)}`;
}
