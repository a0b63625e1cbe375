/** The one place where what keeps a port from being opened becomes an error of ours. */
import { errorMessage, MeshError } from '../base/errors.ts';

const reasons: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not listen there',
  ENOTFOUND: 'the name is not known here',
};

/** @param thrown by node, or by grpc-js, which has node's errors in its text only */
export function bindError(protocol: 'gRPC' | 'HTTP', address: string, thrown: unknown): MeshError {
  const found = errorMessage(thrown);
  const where = `${protocol} at ${address}`;
  if (found.includes('EADDRINUSE')) {
    const text = `${where}: something listens there already (${found})`;
    return new MeshError('port_in_use', text, { details: { address }, cause: thrown });
  }
  const known = Object.keys(reasons).find((code) => found.includes(code));
  const text = known === undefined ? found : `${reasons[known] ?? ''} (${found})`;
  return new MeshError('cannot_listen', `${where}: ${text}`, {
    details: { address },
    cause: thrown,
  });
}
