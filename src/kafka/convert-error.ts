/** The one place where errors of Kafka, of kafkajs and of sockets become ours. */
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import {
  isAuthenticationError,
  isAuthorizationError,
  isCoordinatorElsewhere,
  isLeaderElsewhere,
  kafkaErrorName,
  tooFewBrokers,
} from './codes.ts';

/** A refusal that the broker answered. `what` names the request and its object. */
export function refusal(
  cluster: string,
  what: string,
  errorCode: number,
  text?: string | null,
): MeshError {
  const errorName = kafkaErrorName(errorCode);
  const details = { cluster, errorCode, errorName };
  const tail = text === undefined || text === null || text === '' ? '' : `: ${text}`;
  const message = `${what} at ${cluster}: ${errorName} (${errorCode})${tail}`;
  if (isAuthorizationError(errorCode)) {
    return new MeshError('kafka_authorization', message, { details });
  }
  if (isAuthenticationError(errorCode)) {
    return new MeshError('kafka_authentication', message, { details });
  }
  const isElsewhere = isLeaderElsewhere(errorCode) || isCoordinatorElsewhere(errorCode);
  // Brokers come back; when more are wanted than there are at all, that is told until then.
  const isTransient = isElsewhere || errorCode === tooFewBrokers;
  return new MeshError(isTransient ? 'kafka_unavailable' : 'kafka_request', message, { details });
}

/** Anything thrown while connecting: by kafkajs, a socket, TLS. */
export function connectError(cluster: string, broker: string, thrown: unknown): MeshError {
  if (isMeshError(thrown)) return thrown;
  const text = errorMessage(thrown);
  const name = thrown instanceof Error ? thrown.name : '';
  const isRefusal = name.includes('SASL') || /authentication failed|mechanism/i.test(text);
  const isTls = /certificate|self.signed|SSL|TLS|altname/i.test(text);
  const details = { cluster, broker };
  const message = `connecting to ${broker} of ${cluster}: ${text}`;
  if (isRefusal || isTls) {
    return new MeshError('kafka_authentication', message, { details, cause: thrown });
  }
  return new MeshError('kafka_unavailable', message, { details, cause: thrown });
}
