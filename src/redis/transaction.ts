/** What a transaction has answered, or why it was refused. */

/** @throws the error of the first command that failed, also where it kept the whole from running (Redis is full) */
export async function transacted(
  execution: Promise<[Error | null, unknown][] | null>,
): Promise<readonly unknown[]> {
  let replies: [Error | null, unknown][] | null;
  try {
    replies = await execution;
  } catch (error) {
    throw refusalOf(error);
  }
  return (replies ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof Error && 'previousErrors' in error)) return error;
  const { previousErrors } = error;
  return Array.isArray(previousErrors) && previousErrors.length > 0 ? previousErrors[0] : error;
}
