"""`consume.py BROKERS GROUP PATTERN`: as test/clients/java/Consume.java, with librdkafka."""

import queue
import sys
import threading

from confluent_kafka import Consumer, TopicPartition

END = object()
orders = queue.Queue()


def listen():
    for line in sys.stdin:
        orders.put(int(line.split()[1]))
    orders.put(END)


class Member:
    def __init__(self, brokers, group, pattern):
        self.has_joined = False
        self.is_reading = False
        # What came when nothing was wanted any more: read first when something is.
        self.early = []
        self.consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": 1000,
            }
        )
        self.consumer.subscribe([pattern], on_assign=self.on_assign, on_revoke=self.on_revoke)

    def on_assign(self, consumer, partitions):
        self.early = []
        consumer.assign(partitions)
        if not self.is_reading:
            consumer.pause(partitions)
        if partitions and not self.has_joined:
            self.has_joined = True
            print("joined", flush=True)

    def on_revoke(self, consumer, _partitions):
        self.early = []
        consumer.unassign()

    def poll(self):
        message = self.consumer.poll(0.1)
        if message is None:
            return None
        if message.error():
            raise RuntimeError(str(message.error()))
        return message

    def read(self, count):
        self.is_reading = True
        self.consumer.resume(self.consumer.assignment())
        offsets = {}
        found = 0
        while found < count:
            message = self.early.pop(0) if self.early else self.poll()
            if message is None:
                continue
            found += 1
            place = (message.topic(), message.partition())
            offsets[place] = message.offset() + 1
            print("record", *place, message.offset(), message.value().decode(), sep="\t")
        self.is_reading = False
        self.consumer.pause(self.consumer.assignment())
        commits = [TopicPartition(*place, offset) for place, offset in offsets.items()]
        self.consumer.commit(offsets=commits, asynchronous=False)
        print("ok", flush=True)

    def run(self):
        while True:
            try:
                order = orders.get_nowait()
            except queue.Empty:
                message = self.poll()
                if message is not None:
                    self.early.append(message)
                continue
            if order is END:
                break
            self.read(order)
        self.consumer.close()


threading.Thread(target=listen, daemon=True).start()
Member(*sys.argv[1:]).run()
