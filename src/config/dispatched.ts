import { z } from 'zod';

/**
 * One schema or another, by the look of the value. Unlike a union it says what is wrong within the chosen one, and
 * where; so each rule of that one needs words of its own.
 */
export function dispatched<Schema extends z.ZodType>(choose: (value: unknown) => Schema) {
  return z.unknown().transform((value, context): z.output<Schema> => {
    const parsed = choose(value).safeParse(value);
    if (parsed.success) return parsed.data;
    for (const { path, ...issue } of parsed.error.issues) {
      context.issues.push({ ...issue, path: [...path], input: value } as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  });
}
