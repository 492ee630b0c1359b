import type { CloudAnswer, CloudVerdict } from './cloud-answer.js';
import { type CloudServerFault, noVerdict, toServerFault } from './outcome.js';

/**
 * One verification by protocol 1.0. Its requests have no nonce, so a server takes a repeated request for a replay:
 * servers are asked one after another, and the next one only if the last cannot have accepted the OTP.
 *
 * @throws YubikeyError if no server gave a verdict, and whatever `ask` throws.
 */
export async function askInTurn(
  servers: readonly string[],
  ask: (server: string) => Promise<CloudAnswer>,
): Promise<CloudVerdict> {
  const faults: CloudServerFault[] = [];
  for (const server of servers) {
    const answer = await ask(server);
    if ('verdict' in answer) return answer.verdict;
    faults.push(toServerFault(server, answer.fault));
    if (answer.fault.maybeAccepted) break;
  }
  throw noVerdict(faults);
}
