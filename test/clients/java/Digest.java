import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * `Digest BROKERS TOPIC[=SITE/TOPIC]...`: reads what is committed in each topic with the Java
 * consumer, checksums checked, and prints `digest TOPIC PARTITION COUNT SHA-256` for each partition;
 * the form of what is digested is told in test/support/foreign-digest.ts. With `=`, as if each
 * record had the stamp of that place as its last header.
 */
public final class Digest {
  private static final byte[] STAMP_KEY = "causeway-origin".getBytes(StandardCharsets.UTF_8);

  private final MessageDigest digest;
  private long count = 0;

  private Digest() throws NoSuchAlgorithmException {
    digest = MessageDigest.getInstance("SHA-256");
  }

  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("bootstrap.servers", args[0]);
    properties.setProperty("isolation.level", "read_committed");
    properties.setProperty("check.crcs", "true");
    properties.setProperty("max.poll.records", "5000");
    var deserializer = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<>(properties, deserializer, deserializer)) {
      for (int at = 1; at < args.length; at += 1) {
        String[] names = args[at].split("=");
        read(consumer, names[0], names.length > 1 ? names[1] : null);
      }
    }
  }

  private static void read(KafkaConsumer<byte[], byte[]> consumer, String topic, String stamp)
      throws NoSuchAlgorithmException {
    Map<TopicPartition, Digest> digests = new TreeMap<>((a, b) -> a.partition() - b.partition());
    for (var info : consumer.partitionsFor(topic)) {
      digests.put(new TopicPartition(topic, info.partition()), new Digest());
    }
    consumer.assign(digests.keySet());
    consumer.seekToBeginning(digests.keySet());
    Map<TopicPartition, Long> ends = consumer.endOffsets(digests.keySet());
    while (ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
      var records = consumer.poll(Duration.ofMillis(200));
      for (TopicPartition partition : records.partitions()) {
        Digest found = digests.get(partition);
        for (var record : records.records(partition)) found.add(record, stamp);
      }
    }
    digests.forEach(
        (partition, found) -> {
          String hex = HexFormat.of().formatHex(found.digest.digest());
          System.out.println(
              String.join(
                  " ", "digest", topic, "" + partition.partition(), "" + found.count, hex));
        });
  }

  private void add(ConsumerRecord<byte[], byte[]> record, String stamp) {
    count += 1;
    digest.update(ByteBuffer.allocate(8).putLong(record.timestamp()).array());
    add(record.key());
    add(record.value());
    List<Header> headers = List.of(record.headers().toArray());
    add(headers.size() + (stamp == null ? 0 : 1));
    for (Header header : headers) {
      add(header.key().getBytes(StandardCharsets.UTF_8));
      add(header.value());
    }
    if (stamp == null) return;
    add(STAMP_KEY);
    String place = stamp + "/" + record.partition() + "@" + record.offset();
    add(place.getBytes(StandardCharsets.UTF_8));
  }

  private void add(byte[] bytes) {
    add(bytes == null ? -1 : bytes.length);
    if (bytes != null) digest.update(bytes);
  }

  private void add(int number) {
    digest.update(ByteBuffer.allocate(4).putInt(number).array());
  }
}
