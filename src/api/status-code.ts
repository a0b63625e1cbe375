/** Our errors as gRPC statuses and HTTP codes: both from the one table of `base/errors.ts`. */
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import type { Deps } from '../base/deps.ts';
import { errorMessage, errorTable, isMeshError, MeshError } from '../base/errors.ts';
import { errorMetadataKey } from '../client/call-error.ts';

export function toMeshError(thrown: unknown, deps: Pick<Deps, 'log'>): MeshError {
  if (isMeshError(thrown)) return thrown;
  const error = new MeshError('defect', errorMessage(thrown), { cause: thrown });
  deps.log.error({ err: thrown }, 'a request met a defect');
  return error;
}

export function errorJson(error: MeshError): string {
  const { code, message, details } = error;
  return JSON.stringify({ code, message, details }, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}

export function grpcStatus(error: MeshError): Partial<StatusObject> {
  const metadata = new Metadata();
  metadata.set(errorMetadataKey, Buffer.from(errorJson(error)));
  const code = status[errorTable[error.code].grpc];
  return { code, details: error.message, metadata };
}

const httpByGrpc: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  ABORTED: 409,
  FAILED_PRECONDITION: 412,
  RESOURCE_EXHAUSTED: 429,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

export function httpStatus(error: MeshError): number {
  return httpByGrpc[errorTable[error.code].grpc] ?? 500;
}
