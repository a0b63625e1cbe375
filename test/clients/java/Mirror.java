import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.connect.mirror.MirrorClient;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/**
 * `Mirror BROKERS QUESTION...`: what MirrorMaker 2's own client finds at a cluster. Questions are
 * `translate=ALIAS=GROUP`, `hops=ALIAS`, `upstream`, `remote=ALIAS`, `checkpoints`, `heartbeats`;
 * each is answered by a line of that question, a tab, and the answer in a fixed order.
 */
public final class Mirror {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  public static void main(String[] args) throws Exception {
    Map<String, Object> properties = Map.of("bootstrap.servers", args[0]);
    try (MirrorClient client = new MirrorClient(properties)) {
      for (int at = 1; at < args.length; at += 1) {
        System.out.println(args[at] + "\t" + answer(client, properties, args[at].split("=")));
      }
    }
  }

  private static String answer(
      MirrorClient client, Map<String, Object> properties, String[] question) throws Exception {
    return switch (question[0]) {
      case "translate" -> translate(properties, question[1], question[2]);
      case "hops" -> String.valueOf(client.replicationHops(question[1]));
      case "upstream" -> String.join(" ", new TreeSet<>(client.upstreamClusters()));
      case "remote" -> String.join(" ", new TreeSet<>(client.remoteTopics(question[1])));
      case "checkpoints" -> String.join(" ", new TreeSet<>(client.checkpointTopics()));
      case "heartbeats" -> String.join(" ", new TreeSet<>(client.heartbeatTopics()));
      default -> throw new IllegalArgumentException(question[0]);
    };
  }

  private static String translate(Map<String, Object> properties, String alias, String group)
      throws Exception {
    Map<TopicPartition, OffsetAndMetadata> found;
    try {
      found = RemoteClusterUtils.translateOffsets(properties, alias, group, TIMEOUT);
    } catch (RuntimeException thrown) {
      return thrown.getClass().getSimpleName();
    }
    Map<String, String> sorted = new TreeMap<>();
    found.forEach(
        (partition, offset) ->
            sorted.put(partition.toString(), offset.offset() + ":" + offset.metadata()));
    return String.join(" ", sorted.entrySet().stream().map(Map.Entry::toString).toList());
  }
}
