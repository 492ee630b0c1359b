import { repetitions } from '../../support/long/repetitions.js';
import { describeCuts } from '../../support/stores/redis-cuts.js';

describeCuts(repetitions(1, 17));
