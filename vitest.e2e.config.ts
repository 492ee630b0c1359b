import { defineConfig } from 'vitest/config';
import { END_TO_END, INSTALLED, settings } from './vitest.config.js';

/** What starts built programs, browsers or real clients. */
export default defineConfig({
  test: { ...settings, include: END_TO_END, globalSetup: INSTALLED },
});
