/** What is said of a route of the admin listener; what it takes stands in its own schemas. */
import type { ErrorName } from '../../core/errors.ts';
import type { Content } from '../../http/openapi/document.ts';

export interface AdminOperation {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Of a body in JSON. */
  readonly example?: unknown;
  readonly status?: 200 | 201;
  readonly content: Readonly<Record<string, Content>>;
  /** Where the same route has another answer: by status, names of schemas. */
  readonly also?: Readonly<Record<string, string>>;
  readonly errors?: readonly ErrorName[];
  readonly isOpen?: boolean;
}

/** By method and path, as they are declared. */
export type AdminOperations = Readonly<Record<string, AdminOperation>>;

export const found: readonly ErrorName[] = ['not_found'];
export const changed: readonly ErrorName[] = ['not_found', 'conflict'];
