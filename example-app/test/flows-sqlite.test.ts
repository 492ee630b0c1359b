import { describe } from 'vitest';
import { testFlows } from './flows.js';
import { openApp } from './support.js';

describe('on one machine, with SQLite', () => testFlows(() => openApp()));
