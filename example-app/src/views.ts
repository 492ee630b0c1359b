import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';
import type { Express } from 'express';

const VIEWS = fileURLToPath(new URL('../views', import.meta.url));

/** Lets `res.render` use the Eta templates in views/. Eta escapes everything in `<%= %>`. */
export function useViews(app: Express, { cache }: { cache: boolean }): void {
  const eta = new Eta({ views: VIEWS, cache });
  app.set('views', VIEWS);
  app.set('view engine', 'eta');
  app.engine('eta', (file, data, done) => {
    try {
      done(null, eta.render(`./${basename(file)}`, data));
    } catch (error) {
      done(error);
    }
  });
}
