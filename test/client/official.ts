/** The official client as its users have it: only base URL and key are ours. */
import OpenAI from 'openai';
import type { TestGateway } from '../support/gateway.ts';

export function officialClient({ url, key }: Pick<TestGateway, 'url' | 'key'>, apiKey = key): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey });
}

export const model = 'public';
export const messages = [{ role: 'user' as const, content: 'What is the weather in Paris?' }];
export const words = 'This is a simulated answer.';
