/** The two running clusters that all tests with real Kafka share; `test/run.ts` starts them. */
export type TestSite = 'east' | 'west';

/** East is the older Kafka, west the newer. */
export const kafkaVersions: Readonly<Record<TestSite, string>> = { east: '3.9.2', west: '4.3.0' };

/** Bootstrap brokers (`host:port`) of a shared cluster. */
export function brokersOf(site: TestSite): string[] {
  const name = `CAUSEWAY_TEST_${site.toUpperCase()}`;
  const found = process.env[name];
  if (found === undefined) {
    throw new Error(
      `${name} is not set: run this file by \`npm test -- FILE\`, which starts Kafka`,
    );
  }
  return found.split(',');
}

let counter = 0;

/** A topic, group or folder name that no other test uses. */
export function uniqueName(prefix: string): string {
  counter += 1;
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${counter}`;
}
