/** `simulator`: a GPU server without a GPU, for the first start, tests and benchmarks. */
import { parseArgs } from 'node:util';
import type { SimulatorOptions } from '../simulator/options.ts';
import { createSimulator } from '../simulator/server.ts';
import { announceReady, endInOrder } from './lifecycle.ts';

const usage = `usage: simulator [--host 127.0.0.1] [--port 8000] [--model NAME ...] [--context-length 32768]
                 [--first-token-ms 0] [--token-ms 0] [--tokens 32] [--api-key-env VARIABLE]
`;

interface Arguments {
  readonly host: string;
  readonly port: number;
  readonly options: SimulatorOptions;
}

/** Ends with exit code 2 for wrong arguments, 1 for an address that is taken. */
export async function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const read = readArguments(argv, env);
  if ('problem' in read) {
    process.stderr.write(`simulator: ${read.problem}\n${usage}`);
    process.exitCode = 2;
    return;
  }
  const { host, port, options } = read;
  const simulator = createSimulator(options);
  try {
    const { url } = await simulator.listen(host, port);
    endInOrder({ drain: () => simulator.close() });
    announceReady('simulator', { api: url });
    process.stdout.write(`simulator ready on ${url} (simulated answers, no model runs)\n`);
  } catch (error) {
    process.stderr.write(`simulator: cannot listen on ${host}:${port}: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

function readArguments(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Arguments | { readonly problem: string } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '8000' },
        model: { type: 'string', multiple: true },
        'context-length': { type: 'string' },
        'first-token-ms': { type: 'string' },
        'token-ms': { type: 'string' },
        tokens: { type: 'string' },
        'api-key-env': { type: 'string' },
      },
    });
    return {
      host: values.host,
      port: numberOf('port', values.port) ?? 0,
      options: {
        ...(values.model && { models: values.model }),
        ...given('contextLength', numberOf('context-length', values['context-length'])),
        ...given('firstTokenMs', numberOf('first-token-ms', values['first-token-ms'])),
        ...given('tokenMs', numberOf('token-ms', values['token-ms'])),
        ...given('tokens', numberOf('tokens', values.tokens)),
        apiKey: keyOf(values['api-key-env'], env),
      },
    };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

function given<Name extends string>(name: Name, value: number | undefined) {
  return value === undefined ? {} : { [name]: value };
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text === '' || !(value >= 0)) throw new Error(`--${flag} must be a number, not '${text}'`);
  return value;
}

function keyOf(variable: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (variable === undefined) return undefined;
  const key = env[variable];
  if (!key) throw new Error(`--api-key-env names ${variable}, which is not set`);
  return key;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
