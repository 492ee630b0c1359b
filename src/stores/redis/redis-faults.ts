/** What `redis` and `ioredis` reject a command with that they have not handed on, and will not. */
const NEVER_SENT = [
  'The client is offline',
  'The client is closed',
  "Stream isn't writeable and enableOfflineQueue options is false",
];

const ERROR_REPLY = /^([A-Z]+) /;

/** What a server says that has not looked at the row, or may not have the last writes of its master. */
const TURNED_AWAY = /^(ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MOVED|NOAUTH|NOSCRIPT|READONLY|TRYAGAIN) /;

/** Whether a script rejected that had looked at the row, on a master: no copy of the command has written it. */
export function isScriptError(error: unknown): boolean {
  const message = readMessage(error);
  return message.includes('user_script') && !message.includes('READONLY');
}

/** Whether the client or the server said that this command wrote nothing. */
export function isRedisRefusal(error: unknown): boolean {
  const message = readMessage(error);
  if (NEVER_SENT.includes(message)) return true;
  if (mayAnswerSecondCopy(error)) return false;
  const code = ERROR_REPLY.exec(message)?.[1];
  // ERR is also what proxies say that lost the answer of a server.
  return code !== undefined && code !== 'ERR';
}

/** `ioredis` sends a command again when its connection broke: another server than the one that wrote may answer. */
function mayAnswerSecondCopy(error: unknown): boolean {
  return (error as Error | undefined)?.name === 'ReplyError' && TURNED_AWAY.test(readMessage(error));
}

export function isUnknownScript(error: unknown): boolean {
  return readMessage(error).startsWith('NOSCRIPT');
}

function readMessage(error: unknown): string {
  return String((error as Error | undefined)?.message);
}
