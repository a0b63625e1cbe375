/** Sizes as operators write them: `20MiB`, `1.5GB`, or plain bytes. */
const units: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

export const byteSizePattern = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|KiB|MiB|GiB)$/;

/** undefined when it is no size. */
export function parseByteSize(value: number | string): number | undefined {
  if (typeof value === 'number') return value;
  const [, amount, unit = 'B'] = byteSizePattern.exec(value) ?? [];
  return amount === undefined ? undefined : Math.round(Number(amount) * (units[unit] ?? 1));
}
