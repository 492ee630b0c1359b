import { describePam } from './pam.js';
import { startListener } from './validation-server.js';
import { describeYkclient } from './ykclient.js';

describeYkclient('a validationListener', startListener);
describePam('a validationListener', startListener);
