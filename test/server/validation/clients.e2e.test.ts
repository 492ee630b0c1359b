import { describePam } from '../../support/server/clients/pam.js';
import { startListener } from '../../support/server/clients/validation-server.js';
import { describeYkclient } from '../../support/server/clients/ykclient.js';

describeYkclient('a validationListener', startListener);
describePam('a validationListener', startListener);
