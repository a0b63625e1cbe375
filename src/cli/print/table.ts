/** Plain tables and numbers as people read them. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? '').length)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** What was answered, and who did not answer: when nobody did there is nothing to head. */
export function tableOfAnswers(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  unheard: string,
): string {
  const isEmpty = rows.length === 0 && unheard !== '';
  return (isEmpty ? '' : table(header, rows)) + unheard;
}

/** `site: why`, a line each. */
export function unheardSites(
  silent: readonly { readonly site: string; readonly why: string }[],
): string {
  return silent.map(({ site, why }) => (site === '' ? `${why}\n` : `${site}: ${why}\n`)).join('');
}

/** `1,204,331` */
export function count(value: bigint | number | string): string {
  const text = typeof value === 'number' ? String(Math.round(value)) : String(value);
  return text.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** `+1.2k/s` */
export function rate(perSecond: number): string {
  const size = Math.abs(perSecond);
  const sign = perSecond >= 0 ? '+' : '-';
  if (size >= 1e6) return `${sign}${(size / 1e6).toFixed(1)}M/s`;
  if (size >= 1e3) return `${sign}${(size / 1e3).toFixed(1)}k/s`;
  return `${sign}${size.toFixed(0)}/s`;
}

export function seconds(value: number | undefined): string {
  return value === undefined ? '-' : value < 10 ? value.toFixed(1) : count(value);
}

/** `14:02:11` of an ISO time, in UTC. */
export function clockTime(iso: string | undefined): string {
  return iso === undefined ? '-' : iso.slice(11, 19);
}
