/** Times as operators write them: `90s`, `30m`, `6h`, `2d`. */
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export const durationPattern = /^(\d+)\s*([smhd])$/;

/** In milliseconds; undefined when it is no time. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit = ''] = durationPattern.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (unitMs[unit] ?? 0);
}
