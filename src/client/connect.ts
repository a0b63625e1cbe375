/**
 * How a connection to an agent is made: straight to its address, whatever the environment says of
 * proxies; waited for while it is being made, and given up as soon as it is refused.
 */
import {
  connectivityState,
  Metadata,
  status,
  type ChannelOptions,
  type ServiceError,
} from '@grpc/grpc-js';
import type { TopologyServiceClient } from '../gen/causeway/v1/topology.ts';

const mebibyte = 1024 * 1024;

/** Of every channel to an agent. */
export const channelOptions: ChannelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 5_000,
  'grpc.max_receive_message_length': 64 * mebibyte,
  // The default of 64 KiB holds a stream at 0.5 MB/s when a round trip takes 80 ms.
  'grpc-node.flow_control_window': 8 * mebibyte,
  // A hung connection must die with its client, not be handed to the next one.
  'grpc.use_local_subchannel_pool': 1,
  // Proxies of http_proxy and the like are for the web: none of them knows the agents.
  'grpc.enable_http_proxy': 0,
};

/** Rejects with what the channel says: a refusal at once, silence when the time is up. */
export async function connect(client: TopologyServiceClient, deadlineMs: number): Promise<void> {
  const channel = client.getChannel();
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) return;
    if (state === connectivityState.TRANSIENT_FAILURE) {
      await failAsCallsDo(client, deadlineMs);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      channel.watchConnectivityState(state, deadlineMs, (error) => {
        if (error === undefined) resolve();
        else reject(new Error('no connection was made in time', { cause: error }));
      });
    });
  }
}

/** A channel does not tell why it failed; a call on it does, without waiting. */
async function failAsCallsDo(client: TopologyServiceClient, deadline: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.get({}, new Metadata(), { deadline }, (error: ServiceError | null) => {
      if (error?.code === status.UNAVAILABLE) reject(error);
      else if (error?.code === status.DEADLINE_EXCEEDED) reject(error);
      else resolve();
    });
  });
}
