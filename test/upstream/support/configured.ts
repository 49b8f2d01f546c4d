import { type Config, type ConfigInput, configSchema } from '../../../src/config/schema.ts';

/** A configuration as a file would give it, with servers `a`, `b` and `c` unless it names others. */
export function configured(given: Partial<ConfigInput>): Config {
  const upstreams = ['a', 'b', 'c'].map((name) => ({ name, url: `http://${name}.test:8000` }));
  return configSchema.parse({ secret: 'a secret of at least 32 characters', upstreams, ...given });
}
