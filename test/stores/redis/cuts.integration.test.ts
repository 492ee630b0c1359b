import { describeCuts } from '../../support/stores/redis-cuts.js';

describeCuts(17);
