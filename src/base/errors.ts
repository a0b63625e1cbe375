/**
 * The one error class of the project and the one table of its codes.
 *
 * A code says who must act. `operator` errors are reported whole and never retried; `transient`
 * ones are retried where they happen, bounded; a `defect` is ours, and stops the flow that met
 * it. Every foreign error crosses exactly one converter (kafka/, api/, client/) to become one of
 * these.
 */
export type ErrorKind = 'operator' | 'transient' | 'defect';

/**
 * Names of gRPC status codes; api/ maps them to numbers, so that this folder knows no transport.
 */
export type GrpcStatusName =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'DATA_LOSS'
  | 'UNIMPLEMENTED'
  | 'INTERNAL';

interface ErrorRow {
  readonly kind: ErrorKind;
  readonly grpc: GrpcStatusName;
  /** One sentence that tells the operator what to do. docs/errors.md is made from it. */
  readonly advice: string;
}

const row = (kind: ErrorKind, grpc: GrpcStatusName, advice: string): ErrorRow => ({
  kind,
  grpc,
  advice,
});

export const errorTable = {
  usage: row(
    'operator',
    'INVALID_ARGUMENT',
    'Correct the command line; --help lists what it takes.',
  ),
  topology_invalid: row(
    'operator',
    'INVALID_ARGUMENT',
    'Correct the topology file at the places named; `causeway check` lists all of them.',
  ),
  secret_missing: row(
    'operator',
    'FAILED_PRECONDITION',
    'Set the environment variable, or provide the file, that the topology names.',
  ),
  topology_conflict: row(
    'operator',
    'ABORTED',
    'Two different files carry the same version: raise the version of the right one.',
  ),
  site_unknown: row('operator', 'NOT_FOUND', 'Use the name of a site that the topology declares.'),
  group_unknown: row(
    'operator',
    'NOT_FOUND',
    'Check the group id; no position of it is known at the site named.',
  ),
  topic_unknown: row('operator', 'NOT_FOUND', 'Check the topic name and the site it lives at.'),
  precondition: row(
    'operator',
    'FAILED_PRECONDITION',
    'Bring about the condition named, then run the command again.',
  ),
  plan_changed: row(
    'operator',
    'ABORTED',
    'Something moved since the plan was shown: look at the new plan and execute that.',
  ),
  group_active: row(
    'operator',
    'FAILED_PRECONDITION',
    'Stop the members of the group at the target site, then run the command again.',
  ),
  not_ours: row(
    'operator',
    'FAILED_PRECONDITION',
    'The remote topic holds records that no agent wrote: empty it or rename it.',
  ),
  name_collision: row(
    'operator',
    'ALREADY_EXISTS',
    'Rename one of the topics: Kafka takes `.` and `_` for the same in its metrics.',
  ),
  kafka_authentication: row(
    'operator',
    'UNAUTHENTICATED',
    'Correct the tls and sasl settings of the site in the topology file.',
  ),
  kafka_authorization: row(
    'operator',
    'PERMISSION_DENIED',
    "Grant the agent's user the permission named; docs/operations.md lists all that it needs.",
  ),
  kafka_unavailable: row(
    'transient',
    'UNAVAILABLE',
    'Check that the brokers of the site run and can be reached from the agent.',
  ),
  kafka_timeout: row(
    'transient',
    'DEADLINE_EXCEEDED',
    'The broker did not answer in time: check its load and the link to it.',
  ),
  kafka_request: row(
    'operator',
    'FAILED_PRECONDITION',
    'The broker refused the request for the reason named.',
  ),
  fenced: row(
    'transient',
    'ABORTED',
    'Another agent took the partition over; nothing to do, the flow reads the tail again.',
  ),
  record_too_large: row(
    'operator',
    'RESOURCE_EXHAUSTED',
    "Raise max.message.bytes of the remote topic, or of the target's brokers.",
  ),
  batch_corrupt: row(
    'operator',
    'DATA_LOSS',
    "The source's log is damaged at the offset named: let the broker restore it from a replica.",
  ),
  source_reset: row(
    'operator',
    'DATA_LOSS',
    'The source was made again, truncated, or outrun by its retention: see onSourceReset.',
  ),
  target_reset: row(
    'operator',
    'DATA_LOSS',
    'The remote topic was made again or truncated: see onTargetReset in the topology.',
  ),
  position_lost: row(
    'operator',
    'DATA_LOSS',
    'Set onTargetReset: continue and delete the remote topic: what the source holds is copied anew.',
  ),
  state_corrupt: row(
    'operator',
    'DATA_LOSS',
    'A record of an internal topic cannot be read: see the place named; deleting the topic rebuilds it.',
  ),
  peer_unavailable: row(
    'transient',
    'UNAVAILABLE',
    'Check that the agent runs and that its gRPC address can be reached.',
  ),
  peer_timeout: row(
    'transient',
    'DEADLINE_EXCEEDED',
    'The agent did not answer in time: check its load and the link to it.',
  ),
  outcome_unknown: row(
    'operator',
    'ABORTED',
    'See where the group is at home (`causeway groups`), then run it again: nothing is done twice.',
  ),
  peer_rejected: row(
    'operator',
    'PERMISSION_DENIED',
    'The peer does not belong to this mesh: compare the name of the mesh and of the site.',
  ),
  port_in_use: row(
    'operator',
    'FAILED_PRECONDITION',
    'Stop what listens at the address, or choose another one.',
  ),
  cannot_listen: row(
    'operator',
    'FAILED_PRECONDITION',
    'Give an address of this machine: --listen, --listen-http, where others dial another one.',
  ),
  tool_missing: row(
    'operator',
    'FAILED_PRECONDITION',
    'Install the program named; the message says how.',
  ),
  sandbox: row(
    'operator',
    'FAILED_PRECONDITION',
    "See the message, and the broker's log that it names.",
  ),
  unsupported: row('operator', 'UNIMPLEMENTED', 'This version cannot do that.'),
  aborted: row('transient', 'CANCELLED', 'The work was called off before it ended.'),
  defect: row('defect', 'INTERNAL', 'A defect of Causeway: please report it with the log.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export interface MeshErrorOptions {
  /** Facts for machines: names, offsets, expected and found. Never record contents or secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind;
  }

  /** True when trying again later, unchanged, may succeed. */
  get retriable(): boolean {
    return this.kind === 'transient';
  }

  get advice(): string {
    return errorTable[this.code].advice;
  }
}

export function isMeshError(error: unknown, code?: ErrorCode): error is MeshError {
  return error instanceof MeshError && (code === undefined || error.code === code);
}

/** Anything thrown, as an Error with a message worth printing. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

export function errorMessage(thrown: unknown): string {
  const error = toError(thrown);
  return error.message === '' ? error.name : error.message;
}
