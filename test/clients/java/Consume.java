import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * `Consume BROKERS GROUP KIND PATTERN`: a member of a group that subscribes to the topics of that
 * pattern, stays, and reads only what it is told to, over standard input: `read N` is answered by
 * so many lines `record TOPIC PARTITION OFFSET VALUE`, tabs between, and `ok` when they are
 * committed. KIND is `classic` or `consumer`, the protocol, or `transactional`: what is read is
 * written to GROUP-out, and committed with it. Says `joined` once it has partitions; leaves the
 * group at the end of the input.
 */
public final class Consume {
  private static final String END = "end";

  private final KafkaConsumer<String, String> consumer;
  private final KafkaProducer<String, String> producer;
  private final String output;
  private final LinkedBlockingQueue<String> orders = new LinkedBlockingQueue<>();
  /** What came when nothing was wanted, with its partitions: read first when something is. */
  private final Deque<ConsumerRecord<String, String>> early = new ArrayDeque<>();

  private Consume(String brokers, String group, String kind) {
    var deserializer = new StringDeserializer();
    Properties settings = consumerProperties(brokers, group, kind);
    consumer = new KafkaConsumer<>(settings, deserializer, deserializer);
    output = group + "-out";
    if (!kind.equals("transactional")) {
      producer = null;
      return;
    }
    Properties properties = new Properties();
    properties.setProperty("bootstrap.servers", brokers);
    properties.setProperty("transactional.id", group);
    var serializer = new StringSerializer();
    producer = new KafkaProducer<>(properties, serializer, serializer);
    producer.initTransactions();
  }

  public static void main(String[] args) throws Exception {
    Consume member = new Consume(args[0], args[1], args[2]);
    Thread listener = new Thread(member::listen);
    listener.setDaemon(true);
    listener.start();
    member.consumer.subscribe(Pattern.compile(args[3]));
    member.run();
  }

  private static Properties consumerProperties(String brokers, String group, String kind) {
    Properties properties = new Properties();
    properties.setProperty("bootstrap.servers", brokers);
    properties.setProperty("group.id", group);
    properties.setProperty("enable.auto.commit", "false");
    properties.setProperty("auto.offset.reset", "earliest");
    properties.setProperty("isolation.level", "read_committed");
    properties.setProperty("max.poll.records", "1");
    properties.setProperty("metadata.max.age.ms", "1000");
    if (kind.equals("consumer")) properties.setProperty("group.protocol", "consumer");
    else properties.setProperty("session.timeout.ms", "6000");
    return properties;
  }

  private void listen() {
    try (var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) orders.add(line);
    } catch (java.io.IOException thrown) {
      System.err.println(thrown);
    }
    orders.add(END);
  }

  private void run() {
    boolean hasJoined = false;
    while (true) {
      String order = orders.poll();
      if (END.equals(order)) break;
      if (order != null) read(Integer.parseInt(order.substring("read ".length())));
      consumer.pause(consumer.assignment());
      consumer.poll(Duration.ofMillis(100)).forEach(early::add);
      if (!hasJoined && !consumer.assignment().isEmpty()) {
        hasJoined = true;
        System.out.println("joined");
      }
    }
    consumer.close();
    if (producer != null) producer.close();
  }

  private void read(int count) {
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    if (producer != null) producer.beginTransaction();
    for (int found = 0; found < count; ) {
      if (early.isEmpty()) {
        consumer.resume(consumer.assignment());
        consumer.poll(Duration.ofMillis(100)).forEach(early::add);
        continue;
      }
      ConsumerRecord<String, String> record = early.remove();
      found += 1;
      var partition = new TopicPartition(record.topic(), record.partition());
      offsets.put(partition, new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), ""));
      if (producer != null) producer.send(new ProducerRecord<>(output, record.value()));
      String place = record.topic() + "\t" + record.partition() + "\t" + record.offset();
      System.out.println("record\t" + place + "\t" + record.value());
    }
    if (producer == null) {
      consumer.commitSync(offsets);
    } else {
      producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
      producer.commitTransaction();
    }
    System.out.println("ok");
  }
}
