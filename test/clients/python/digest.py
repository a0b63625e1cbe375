"""`digest.py BROKERS TOPIC[=SITE/TOPIC]...`: as test/clients/java/Digest.java, with librdkafka."""

import hashlib
import struct
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

STAMP_KEY = b"causeway-origin"


class Digest:
    def __init__(self):
        self.digest = hashlib.sha256()
        self.count = 0

    def add(self, message, stamp):
        self.count += 1
        headers = [(name.encode(), value) for name, value in message.headers() or []]
        if stamp is not None:
            place = f"{stamp}/{message.partition()}@{message.offset()}"
            headers.append((STAMP_KEY, place.encode()))
        parts = [struct.pack(">q", message.timestamp()[1])]
        parts += sized(message.key()) + sized(message.value())
        parts.append(struct.pack(">i", len(headers)))
        for name, value in headers:
            parts += sized(name) + sized(value)
        self.digest.update(b"".join(parts))


def sized(part):
    return [struct.pack(">i", -1)] if part is None else [struct.pack(">i", len(part)), part]


def read(consumer, topic, stamp):
    found = consumer.list_topics(topic, 20).topics[topic].partitions
    digests = {partition: Digest() for partition in sorted(found)}
    ends = {}
    for partition in digests:
        _, ends[partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in digests])
    reading = set(digests)
    while reading:
        for message in consumer.consume(5000, 0.2):
            error = message.error()
            if error is None:
                digests[message.partition()].add(message, stamp)
            elif error.code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(error)
            elif message.offset() >= ends[message.partition()]:
                # What is told of an end before that is told again.
                reading.discard(message.partition())
    for partition, digest in digests.items():
        print("digest", topic, partition, digest.count, digest.digest.hexdigest(), flush=True)


def main():
    for argument in sys.argv[2:]:
        topic, _, stamp = argument.partition("=")
        # One each: of what was assigned before something may still come.
        consumer = Consumer(
            {
                "bootstrap.servers": sys.argv[1],
                "group.id": "digest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "check.crcs": True,
            }
        )
        read(consumer, topic, stamp or None)
        consumer.close()


main()
