import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Who may import from whom; a folder may always import from itself. ARCHITECTURE.md draws it. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ['core'],
  telemetry: ['core'],
  redis: ['config', 'telemetry', 'core'],
  admission: ['redis', 'config', 'telemetry', 'core'],
  upstream: ['redis', 'config', 'telemetry', 'core'],
  http: ['jobs', 'admission', 'upstream', 'redis', 'config', 'telemetry', 'core'],
  admin: ['http', 'jobs', 'admission', 'upstream', 'redis', 'config', 'telemetry', 'core'],
  cli: ['config', 'core'],
  jobs: ['admission', 'upstream', 'redis', 'config', 'telemetry', 'core'],
  simulator: ['config', 'telemetry', 'core'],
  roles: [
    'http',
    'admin',
    'cli',
    'jobs',
    'admission',
    'upstream',
    'redis',
    'simulator',
    'config',
    'telemetry',
    'core',
  ],
  '.': ['roles', 'cli'],
};

/** Each library has one home. */
const homes: Readonly<Record<string, readonly string[]>> = {
  fastify: ['http', 'admin', 'roles'],
  '@fastify/cors': ['http'],
  ioredis: ['redis'],
  undici: ['upstream'],
  got: ['upstream'],
  bullmq: ['jobs'],
  '@bull-board/api': ['admin'],
  '@bull-board/api/bullMQAdapter': ['admin'],
  '@bull-board/fastify': ['admin'],
  'prom-client': ['telemetry'],
  '@opentelemetry/api': ['telemetry'],
  '@opentelemetry/core': ['telemetry'],
  '@opentelemetry/exporter-trace-otlp-http': ['telemetry'],
  '@opentelemetry/resources': ['telemetry'],
  '@opentelemetry/sdk-trace': ['telemetry'],
  pino: ['telemetry'],
  'rate-limiter-flexible': ['admission'],
  'structured-headers': ['admission'],
  jose: ['admission'],
  zod: ['config', 'admin'],
  yaml: ['config'],
  commander: ['cli'],
};

const files = globSync('src/**/*.ts', { cwd: root }).map(normalize);
const imports = new Map(files.map((file) => [file, importsOf(file)]));

test('imports go one way only', () => {
  for (const [file, specifiers] of imports) {
    const from = folderOf(file);
    for (const to of specifiers.filter(isLocal).map((specifier) => folderOf(resolve(file, specifier)))) {
      assert.ok(from === to || mayImport[from]?.includes(to), `${file} must not import from ${to}/`);
    }
  }
});

test('each library is imported in its home only', () => {
  for (const [file, specifiers] of imports) {
    for (const specifier of specifiers) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
      assert.ok(homes[specifier]?.includes(folderOf(file)), `${file} must not import ${specifier}`);
    }
  }
});

test('no file imports itself over others', () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    assert.ok(!path.includes(file), `cycle: ${[...path, file].join(' → ')}`);
    if (done.has(file)) return;
    for (const specifier of (imports.get(file) ?? []).filter(isLocal)) {
      visit(resolve(file, specifier), [...path, file]);
    }
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test('keys of Redis are named in one file', () => {
  const name = /\$\{[^}]*(prefix|root)\}:/;
  for (const file of files) {
    if (file === join('src', 'redis', 'keys.ts')) continue;
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), name, `${file} builds a key of Redis`);
  }
});

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  // A type-only import is no cycle at run time, but it is one for the reader.
  const statements = text.matchAll(/(?:^import|^export)\s[^;]*?from '([^']+)'|import\('([^']+)'\)/gm);
  return [...statements].map(([, named, lazy]) => named ?? lazy ?? '');
}

function isLocal(specifier: string): boolean {
  return specifier.startsWith('.') && specifier.endsWith('.ts');
}

function resolve(file: string, specifier: string): string {
  return normalize(join(dirname(file), specifier));
}

function folderOf(file: string): string {
  const [, folder = '.', ...rest] = file.split('/');
  return rest.length === 0 ? '.' : folder;
}
