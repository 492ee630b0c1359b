import { describe } from 'vitest';
import { openApp } from './support/application.js';
import { testFlows } from './support/flows.js';

describe('on one machine, with SQLite', () => testFlows(() => openApp()));
