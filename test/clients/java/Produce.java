import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Does what it is told on standard input, in the form of test/support/foreign-producer.ts, with the
 * Java producer; each order but `send` is answered by a line `ok`. A record that is not acknowledged
 * ends it.
 */
public final class Produce {
  private final DataInputStream in =
      new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
  private final Map<Integer, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
  private final AtomicReference<Exception> failure = new AtomicReference<>();
  private KafkaProducer<byte[], byte[]> producer;
  private String topic;

  public static void main(String[] args) throws Exception {
    new Produce().run();
  }

  private void run() throws Exception {
    for (int order = in.read(); order >= 0; order = in.read()) {
      switch (order) {
        case 'o' -> open(in.readInt(), text());
        case 'u' -> use(in.readInt(), text());
        case 's' -> send();
        case 'f' -> producer.flush();
        case 'b' -> producer.beginTransaction();
        case 'c' -> producer.commitTransaction();
        case 'a' -> producer.abortTransaction();
        default -> throw new IOException("unknown order " + order);
      }
      if (failure.get() != null) throw failure.get();
      if (order != 's') System.out.println("ok");
    }
    producers.values().forEach(KafkaProducer::close);
  }

  /** Settings are lines `name=value`. */
  private void open(int id, String settings) {
    Properties properties = new Properties();
    for (String line : settings.split("\n")) {
      int at = line.indexOf('=');
      properties.setProperty(line.substring(0, at), line.substring(at + 1));
    }
    var opened =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    if (properties.containsKey("transactional.id")) opened.initTransactions();
    producers.put(id, opened);
  }

  private void use(int id, String topicName) {
    producer = producers.get(id);
    topic = topicName;
  }

  private void send() throws IOException {
    int partition = in.readInt();
    long timestamp = in.readLong();
    byte[] key = bytes();
    byte[] value = bytes();
    List<Header> headers = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left -= 1) {
      String name = new String(bytes(), StandardCharsets.UTF_8);
      headers.add(new RecordHeader(name, bytes()));
    }
    var record = new ProducerRecord<>(topic, partition, timestamp, key, value, headers);
    producer.send(record, (sent, error) -> failure.compareAndSet(null, error));
  }

  private byte[] bytes() throws IOException {
    int length = in.readInt();
    return length < 0 ? null : in.readNBytes(length);
  }

  private String text() throws IOException {
    return new String(bytes(), StandardCharsets.UTF_8);
  }
}
