/** The files that a broker is started with, as text: server.properties and those of its log. */
import { isKafka4 } from './kafka-jars.ts';

export interface BrokerPlan {
  readonly id: number;
  /** Where clients connect. */
  readonly port: number;
  readonly controllerPort: number;
  /**
   * A second listener that tells clients to come to `advertised`: where a proxy stands before it.
   */
  readonly wan?: { readonly port: number; readonly advertised: number } | undefined;
}

export interface PropertiesInput {
  readonly kafkaVersion: string;
  readonly brokers: readonly BrokerPlan[];
  readonly dataDir: string;
  readonly extraConfig: Readonly<Record<string, string>>;
}

/** Every node of a site is broker and controller in one. `extraConfig` has the last word. */
export function serverProperties(broker: BrokerPlan, input: PropertiesInput): string {
  const replicas = String(input.brokers.length);
  const minIsr = String(Math.ceil(input.brokers.length / 2));
  const voters = input.brokers.map(({ id, controllerPort }) => `${id}@localhost:${controllerPort}`);
  const listeners = [`PLAINTEXT://localhost:${broker.port}`];
  const advertised = [...listeners];
  listeners.push(`CONTROLLER://localhost:${broker.controllerPort}`);
  if (broker.wan !== undefined) {
    listeners.push(`WAN://localhost:${broker.wan.port}`);
    advertised.push(`WAN://localhost:${broker.wan.advertised}`);
  }
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(broker.id),
    'controller.quorum.voters': voters.join(','),
    listeners: listeners.join(','),
    'advertised.listeners': advertised.join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,WAN:PLAINTEXT',
    'log.dirs': input.dataDir,
    'default.replication.factor': replicas,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minIsr,
    'group.initial.rebalance.delay.ms': '0',
    // The default takes a quarter of this heap at the start.
    'log.cleaner.dedupe.buffer.size': '16777216',
    // Several sites may start on two cores at once.
    'initial.broker.registration.timeout.ms': '180000',
    ...(isKafka4(input.kafkaVersion)
      ? {
          'share.coordinator.state.topic.replication.factor': replicas,
          'share.coordinator.state.topic.min.isr': minIsr,
        }
      : {}),
    ...input.extraConfig,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${escaped(value)}\n`)
    .join('');
}

/** In a properties file a backslash escapes, and leading blanks and line ends would be lost. */
function escaped(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replace(/^ /, '\\ ');
}

export interface LogConfig {
  readonly fileName: string;
  readonly text: string;
  /** What tells the JVM to use the file. */
  readonly javaOption: (fileUrl: string) => string;
}

/** To stdout, which the sandbox appends to the site's file, each line naming its broker. */
export function logConfig(kafkaVersion: string): LogConfig {
  if (!isKafka4(kafkaVersion)) {
    return {
      fileName: 'log4j.properties',
      text: [
        'log4j.rootLogger=INFO, stdout',
        'log4j.appender.stdout=org.apache.log4j.ConsoleAppender',
        'log4j.appender.stdout.layout=org.apache.log4j.PatternLayout',
        'log4j.appender.stdout.layout.ConversionPattern=' +
          '%d{ISO8601} ${causeway.broker} %p %m (%c)%n',
        'log4j.logger.kafka.request.logger=WARN',
        'log4j.logger.state.change.logger=WARN',
        '',
      ].join('\n'),
      javaOption: (url) => `-Dlog4j.configuration=${url}`,
    };
  }
  return {
    fileName: 'log4j2.properties',
    text: [
      'status = warn',
      'appender.stdout.type = Console',
      'appender.stdout.name = stdout',
      'appender.stdout.layout.type = PatternLayout',
      'appender.stdout.layout.pattern = %d{ISO8601} ${sys:causeway.broker} %p %m (%c)%n',
      'rootLogger.level = info',
      'rootLogger.appenderRef.stdout.ref = stdout',
      'logger.request.name = kafka.request.logger',
      'logger.request.level = warn',
      'logger.state.name = state.change.logger',
      'logger.state.level = warn',
      '',
    ].join('\n'),
    javaOption: (url) => `-Dlog4j2.configurationFile=${url}`,
  };
}
