/** Whether a text can be what it is given for: PEM of a certificate or of a private key. */
const kinds = {
  ca: { begin: /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/, wanted: 'a PEM certificate' },
  cert: { begin: /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/, wanted: 'a PEM certificate' },
  key: { begin: /-----BEGIN ([A-Z]+ )*PRIVATE KEY-----/, wanted: 'a PEM private key' },
} as const;

export type PemName = keyof typeof kinds;

/** What was found and wanted, never the text itself; undefined when it is right. */
export function pemProblem(name: PemName, text: string): string | undefined {
  const { begin, wanted } = kinds[name];
  return begin.test(text) ? undefined : `something else, wanted ${wanted}`;
}
