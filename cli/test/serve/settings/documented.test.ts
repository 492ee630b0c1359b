import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LISTED_SETTINGS } from '../../../src/serve/settings/listed-settings.js';

const PAGE = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');

it('the table of settings in docs/configuration.md has the names and the help of each setting', () => {
  const [, table] = /\n\| Option \| Environment \|.*\n\| --- .*\n((?:\|.*\n)+)/.exec(PAGE) ?? [];
  expect(table?.trimEnd().split('\n')).toEqual(
    LISTED_SETTINGS.filter(({ isGlobal }) => !isGlobal).map(
      ({ option, variable, name, description }) =>
        `| \`${option}\` | \`${variable}\` | \`${name}\` | ${description} |`,
    ),
  );
});

it.each(LISTED_SETTINGS.filter(({ isGlobal }) => isGlobal))(
  'docs/configuration.md names the global option $flag and its member of the file, $name',
  ({ flag, name }) => {
    expect(PAGE).toContain(`\`${flag}\``);
    expect(PAGE).toContain(`\`${name}\``);
  },
);
