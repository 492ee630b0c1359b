import { describeCuts } from './redis-cuts.js';

describeCuts(17);
