/** As JSON has it: names in snake_case; what nobody can say (NaN) becomes null by itself. */
export function wireOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wireOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      wireOf(part),
    ]),
  );
}
