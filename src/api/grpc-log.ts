/** What grpc-js has to say goes to the log of the agent, not to stderr beside it. */
import { setLogger } from '@grpc/grpc-js';
import type { Log } from '../base/log.ts';

/** For the whole process. */
export function logGrpcTo(log: Log): void {
  const tell =
    (level: 'error' | 'info' | 'debug') =>
    (...said: unknown[]): void => {
      const text = said.map(String).join(' ');
      // Whoever binds an address is told the same, and of each address why.
      const isThrownToo = text.startsWith('No address added out of');
      log[isThrownToo ? 'debug' : level]({ text }, 'grpc');
    };
  setLogger({ error: tell('error'), info: tell('info'), debug: tell('debug') });
}
