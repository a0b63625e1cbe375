/** The one place where errors of a call become ours. The agent sends its own along in metadata. */
import { status, type ServiceError } from '@grpc/grpc-js';
import {
  errorTable,
  errorMessage,
  isMeshError,
  MeshError,
  type ErrorCode,
} from '../base/errors.ts';

/** Binary, since texts are not only ASCII: JSON of code, message and details. */
export const errorMetadataKey = 'causeway-error-bin';

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && 'code' in thrown && 'metadata' in thrown;
}

export function callError(address: string, what: string, thrown: unknown): MeshError {
  if (isMeshError(thrown)) return thrown;
  if (!isServiceError(thrown)) {
    return new MeshError('peer_unavailable', `${what} at ${address}: ${errorMessage(thrown)}`, {
      cause: thrown,
    });
  }
  const sent = sentError(thrown);
  if (sent !== undefined) return sent;
  const code = codes.get(thrown.code) ?? 'peer_unavailable';
  return new MeshError(code, `${what} at ${address}: ${reasonOf(thrown)}`, {
    details: { address },
    cause: thrown,
  });
}

/** Of what gRPC says of a connection, the error of the socket alone. */
function reasonOf({ details, message }: ServiceError): string {
  const text = details === '' ? message : details;
  const said = /No connection established\. Last error: (.*?)(?:\. Resolution note: (.*))?$/s.exec(
    text,
  );
  if (said === null) return text;
  const [, last = '', note = ''] = said;
  const reason = last.replace(/^Error: /, '');
  const isRefused = reason.includes('ECONNREFUSED');
  return `${isRefused ? `nobody listens there (${reason})` : reason}${note === '' ? '' : `; ${note}`}`;
}

const codes: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [status.CANCELLED, 'aborted'],
  [status.DEADLINE_EXCEEDED, 'peer_timeout'],
  [status.UNAUTHENTICATED, 'peer_rejected'],
  [status.PERMISSION_DENIED, 'peer_rejected'],
  [status.UNIMPLEMENTED, 'unsupported'],
]);

function sentError(error: ServiceError): MeshError | undefined {
  const [bytes] = error.metadata.get(errorMetadataKey);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    // Each field is checked before it is used.
    const { code, message, details } = JSON.parse(bytes.toString('utf8')) as Record<
      string,
      unknown
    >;
    if (typeof code !== 'string' || typeof message !== 'string') return undefined;
    const known = code in errorTable ? (code as ErrorCode) : 'peer_unavailable';
    const facts = typeof details === 'object' && details !== null ? { ...details } : {};
    return new MeshError(known, message, { details: facts });
  } catch {
    return undefined;
  }
}
