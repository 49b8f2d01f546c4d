import { z } from 'zod';

/** What a dispatched schema chooses from: a list of schemas, which a registry would take for types of their values. */
const alternativesOf = z.registry<{ readonly alternatives: unknown }>();

/**
 * One schema or another, by the look of the value. Unlike a union it says what is wrong within the chosen one, and
 * where; so each rule of that one needs words of its own.
 * @param choose one of the alternatives, or one that nothing fits
 */
export function dispatched<Schema extends z.ZodType>(
  alternatives: readonly Schema[],
  choose: (value: unknown) => Schema | z.ZodNever,
) {
  const schema = z.unknown().transform((value, context): z.output<Schema> => {
    const parsed = choose(value).safeParse(value);
    if (parsed.success) return parsed.data as z.output<Schema>;
    for (const { path, ...issue } of parsed.error.issues) {
      context.issues.push({ ...issue, path: [...path], input: value } as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  });
  return schema.register(alternativesOf, { alternatives });
}

/** Undefined: the schema is none that `dispatched` has made. */
export function dispatchedAlternatives(schema: z.core.$ZodType): readonly z.ZodType[] | undefined {
  return alternativesOf.get(schema)?.alternatives as readonly z.ZodType[] | undefined;
}
