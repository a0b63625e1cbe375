import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * `Groups BROKERS TOPIC STEP...`: what applications do to their groups, step by step. A step is
 * `classic:GROUP:COUNT` or `consumer:GROUP:COUNT` (read so many records by that protocol, commit,
 * leave), `commit:`, `abort:` or `open:GROUP:COUNT` (read, write to TOPIC-out and send the offsets in
 * a transaction, and end it so, or leave it open), `forget:GROUP:PARTITION` (delete the commit of a
 * partition), `delete:GROUP`.
 */
public final class Groups {
  private final String brokers;
  private final String topic;

  private Groups(String brokers, String topic) {
    this.brokers = brokers;
    this.topic = topic;
  }

  public static void main(String[] args) throws Exception {
    Groups groups = new Groups(args[0], args[1]);
    for (int at = 2; at < args.length; at += 1) {
      groups.step(args[at].split(":"));
      System.out.println("done " + args[at]);
    }
    // Not closed: a transaction that was left open stays open.
    Runtime.getRuntime().halt(0);
  }

  private void step(String[] step) throws Exception {
    switch (step[0]) {
      case "classic", "consumer" -> consume(step[1], step[0], Integer.parseInt(step[2]));
      case "commit", "abort", "open" -> transact(step[1], step[0], Integer.parseInt(step[2]));
      case "forget" -> {
        try (Admin admin = Admin.create(properties())) {
          var partition = new TopicPartition(topic, Integer.parseInt(step[2]));
          admin.deleteConsumerGroupOffsets(step[1], Set.of(partition)).all().get();
        }
      }
      case "delete" -> {
        try (Admin admin = Admin.create(properties())) {
          admin.deleteConsumerGroups(List.of(step[1])).all().get();
        }
      }
      default -> throw new IllegalArgumentException(step[0]);
    }
  }

  private void consume(String group, String protocol, int count) {
    try (var consumer = consumer(group, protocol)) {
      consumer.commitSync(read(consumer, count, null));
    }
  }

  private void transact(String group, String end, int count) {
    Properties properties = properties();
    properties.setProperty("transactional.id", group + "-" + end);
    var serializer = new ByteArraySerializer();
    var producer = new KafkaProducer<>(properties, serializer, serializer);
    producer.initTransactions();
    try (var consumer = consumer(group, "classic")) {
      producer.beginTransaction();
      var offsets = read(consumer, count, producer);
      producer.flush();
      producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
      if (end.equals("commit")) producer.commitTransaction();
      if (end.equals("abort")) producer.abortTransaction();
    }
    if (!end.equals("open")) producer.close();
  }

  private KafkaConsumer<byte[], byte[]> consumer(String group, String protocol) {
    Properties properties = properties();
    properties.setProperty("group.id", group);
    properties.setProperty("enable.auto.commit", "false");
    properties.setProperty("auto.offset.reset", "earliest");
    properties.setProperty("max.poll.records", "7");
    if (protocol.equals("consumer")) properties.setProperty("group.protocol", "consumer");
    var deserializer = new ByteArrayDeserializer();
    var consumer = new KafkaConsumer<>(properties, deserializer, deserializer);
    consumer.subscribe(List.of(topic));
    return consumer;
  }

  /** Reads so many records at the least; the offsets to commit. */
  private Map<TopicPartition, OffsetAndMetadata> read(
      KafkaConsumer<byte[], byte[]> consumer, int count, KafkaProducer<byte[], byte[]> producer) {
    int found = 0;
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    while (found < count) {
      var records = consumer.poll(Duration.ofMillis(200));
      for (ConsumerRecord<byte[], byte[]> record : records) {
        found += 1;
        var partition = new TopicPartition(record.topic(), record.partition());
        var next = new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), "note");
        offsets.put(partition, next);
        if (producer != null) producer.send(new ProducerRecord<>(topic + "-out", record.value()));
      }
    }
    return offsets;
  }

  private Properties properties() {
    Properties properties = new Properties();
    properties.setProperty("bootstrap.servers", brokers);
    return properties;
  }
}
