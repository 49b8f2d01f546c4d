/** Numbers as people read them at a glance. */

/** `0.4`, `12`, `3.4k`, `1.2M`; `-` for what nobody can say. */
export function amountText(value: number): string {
  if (Number.isNaN(value)) return '-';
  const size = Math.abs(value);
  if (size >= 999_500_000) return `${scaled(value / 1e9)}G`;
  if (size >= 999_500) return `${scaled(value / 1e6)}M`;
  if (size >= 999.5) return `${scaled(value / 1e3)}k`;
  return scaled(value);
}

/** `1.2 ms`, `340 ms`, `2.4 s` */
export function secondsText(seconds: number): string {
  if (Number.isNaN(seconds)) return '-';
  return seconds < 0.9995 ? `${scaled(seconds * 1_000)} ms` : `${scaled(seconds)} s`;
}

/** The largest unit alone: `40 s`, `12 min`, `5 h`, `3 d`. */
export function ageText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

export function megabytesText(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** Three digits that count, or fewer. */
function scaled(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1).replace(/\.0$/, '');
  return size < 0.005 ? '0.00' : value.toFixed(2).replace(/\.?0+$/, '');
}
