/** What each route of the admin listener is for, and how it answers. */
import { accountOperations } from './account-operations.ts';
import type { AdminOperations } from './operation.ts';
import { servingOperations } from './serving-operations.ts';

export const adminTags = [
  { name: 'Keys', description: 'API keys, brought along or made here.' },
  { name: 'Tenants', description: 'Who owns keys.' },
  { name: 'Webhooks', description: 'Where tenants want the ends of their jobs told.' },
  { name: 'Upstreams and models', description: 'GPU servers, and what they serve.' },
  {
    name: 'Jobs',
    description: 'What waits, runs and has ended, of all tenants. Neither prompts nor answers.',
  },
  { name: 'Usage', description: 'Sums, and the latest calls.' },
  { name: 'Admins', description: 'Who may use this API, and what they have done.' },
  { name: 'Installation', description: 'Configuration and data as a whole.' },
  { name: 'Service', description: 'Open to whoever reaches the listener.' },
];

export const adminOperations: AdminOperations = { ...accountOperations, ...servingOperations };
