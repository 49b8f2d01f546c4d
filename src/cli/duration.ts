const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `90s`, `15m`, `24h`, `30d`, `2w` or `0` in seconds; undefined for anything else. */
export function durationSeconds(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  const unit = unitSeconds[match?.[2] ?? ''];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}
