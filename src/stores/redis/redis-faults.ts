/** Messages with which `redis` and `ioredis` reject a command that they have not sent, and will not send. */
const NEVER_SENT = [
  'The client is offline',
  'The client is closed',
  "Stream isn't writeable and enableOfflineQueue options is false",
];

const ERROR_REPLY = /^([A-Z]+) /;

/** Replies of a server that has not looked at the row, or that may lack the last writes of its master. */
const TURNED_AWAY = /^(ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MOVED|NOAUTH|NOSCRIPT|READONLY|TRYAGAIN) /;

/** Whether a script failed after it had looked at the row on a master: then no copy of the command has written it. */
export function isScriptError(error: unknown): boolean {
  const message = readMessage(error);
  return message.includes('user_script') && !message.includes('READONLY');
}

/** Whether the client or the server reported that this command wrote nothing. */
export function isRedisRefusal(error: unknown): boolean {
  const message = readMessage(error);
  if (NEVER_SENT.includes(message)) return true;
  if (mayAnswerSecondCopy(error)) return false;
  const code = ERROR_REPLY.exec(message)?.[1];
  // Proxies that lost the answer of a server also reply with ERR.
  return code !== undefined && code !== 'ERR';
}

/** `ioredis` resends a command after its connection broke, so another server than the one that wrote may answer. */
function mayAnswerSecondCopy(error: unknown): boolean {
  return (error as Error | undefined)?.name === 'ReplyError' && TURNED_AWAY.test(readMessage(error));
}

export function isUnknownScript(error: unknown): boolean {
  return readMessage(error).startsWith('NOSCRIPT');
}

function readMessage(error: unknown): string {
  return String((error as Error | undefined)?.message);
}
