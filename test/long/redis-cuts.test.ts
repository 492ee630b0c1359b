import { describeCuts } from '../stores/redis-cuts.js';
import { repetitions } from './repetitions.js';

describeCuts(repetitions(1, 17));
