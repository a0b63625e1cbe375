/**
 * Secrets of the topology: `${env:NAME}` and `${file:PATH}` inside of texts, put in when needed.
 */
import { errorMessage, MeshError } from '../base/errors.ts';
import type { KafkaSettings, SaslSettings, SecretText, TlsSettings } from './model.ts';

export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<string>;
}

const reference = /\$\{(env|file):([^}]+)\}/g;

/** @throws MeshError secret_missing, naming the variable or the file, never a value */
export async function resolveSecret(text: SecretText, sources: SecretSources): Promise<string> {
  let resolved = '';
  let from = 0;
  for (const found of text.matchAll(reference)) {
    const [whole, kind, name = ''] = found;
    resolved += text.slice(from, found.index);
    resolved += kind === 'env' ? fromEnv(name, sources) : await fromFile(name, sources);
    from = found.index + whole.length;
  }
  return resolved + text.slice(from);
}

function fromEnv(name: string, { env }: SecretSources): string {
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  throw new MeshError('secret_missing', `environment variable ${name} is not set`);
}

async function fromFile(path: string, { readFile }: SecretSources): Promise<string> {
  try {
    return (await readFile(path)).trimEnd();
  } catch (cause) {
    throw new MeshError('secret_missing', `${path} cannot be read: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

export interface KafkaSecrets {
  readonly tls: TlsSettings | undefined;
  readonly sasl: SaslSettings | undefined;
}

export async function resolveKafkaSecrets(
  kafka: KafkaSettings,
  sources: SecretSources,
): Promise<KafkaSecrets> {
  const { tls, sasl } = kafka;
  const entries = await Promise.all(
    Object.entries(tls ?? {}).map(async ([key, text]: [string, string]) => [
      key,
      await resolveSecret(text, sources),
    ]),
  );
  return {
    // The same keys as before, each a text.
    tls: tls === undefined ? undefined : (Object.fromEntries(entries) as TlsSettings),
    sasl:
      sasl === undefined
        ? undefined
        : {
            mechanism: sasl.mechanism,
            username: await resolveSecret(sasl.username, sources),
            password: await resolveSecret(sasl.password, sources),
          },
  };
}
