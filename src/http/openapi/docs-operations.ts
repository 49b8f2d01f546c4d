/** The routes of the documents themselves, on both listeners. */
import type { Operation } from './document.ts';
import { pageParts } from './page-parts.ts';

export function docsOperations(): Readonly<Record<string, Operation>> {
  const html = { 'text/html': { schema: { type: 'string' } } };
  const document = {
    'application/json': {
      schema: { type: 'object', properties: { openapi: { const: '3.1.1' } }, required: ['openapi'] },
    },
  };
  return {
    'GET /openapi.json': {
      id: 'getOpenApi',
      tag: 'Service',
      summary: 'This document',
      isOpen: true,
      answers: { 200: { description: 'OpenAPI 3.1.', content: document } },
      errors: [],
    },
    'GET /docs': {
      id: 'getDocs',
      tag: 'Service',
      summary: 'This document as a page',
      isOpen: true,
      answers: { 200: { description: 'The page. It loads nothing from elsewhere.', content: html } },
      errors: [],
    },
    'GET /docs/:part': {
      id: 'getDocsPart',
      tag: 'Service',
      summary: 'Parts of that page',
      isOpen: true,
      parameters: [{ name: 'part', in: 'path', required: true, schema: { enum: Object.keys(pageParts) } }],
      answers: {
        200: {
          description: 'Script or style.',
          content: {
            'text/javascript': { schema: { type: 'string' } },
            'text/css': { schema: { type: 'string' } },
          },
        },
      },
      errors: ['not_found'],
    },
  };
}
