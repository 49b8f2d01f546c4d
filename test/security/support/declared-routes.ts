/** The routes of processes under test, from the apps themselves. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Declared {
  /** For the process, so that its routes are noted. */
  readonly env: Readonly<Record<string, string>>;
  /** Of the listener that has this one, such as `GET /health`; sorted by path. */
  routesBeside(route: string): Promise<string[]>;
  stop(): Promise<void>;
}

export async function declaredRoutes(): Promise<Declared> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-routes-'));
  const file = join(folder, 'routes');
  return {
    env: {
      NODE_OPTIONS: `--import=${new URL('./watch-routes.ts', import.meta.url)}`,
      SLUICE_ROUTES_FILE: file,
    },
    async routesBeside(route) {
      const lines = (await readFile(file, 'utf8')).trim().split('\n');
      const listener = lines.find((line) => line.endsWith(` ${route}`))?.split(' ')[0];
      if (listener === undefined) throw new Error(`no listener has ${route}`);
      const own = lines.filter((line) => line.startsWith(`${listener} `));
      const routes = new Set(own.map((line) => line.slice(listener.length + 1)));
      return [...routes].sort((one, other) => (byPath(one) < byPath(other) ? -1 : 1));
    },
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

function byPath(route: string): string {
  const [method, path] = route.split(' ');
  return `${path} ${method}`;
}
