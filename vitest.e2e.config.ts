import { defineConfig } from 'vitest/config';
import { END_TO_END, settings } from './vitest.config.js';

/** What starts built programs, browsers or real clients. */
export default defineConfig({
  test: { ...settings, include: END_TO_END },
});
