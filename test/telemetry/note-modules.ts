/** For `--import`: writes the name of each package of OpenTelemetry's SDK that is loaded into the file NOTED_MODULES. */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    // The bare interfaces come with prom-client.
    const isNoted = specifier.startsWith('@opentelemetry/') && specifier !== '@opentelemetry/api';
    if (isNoted) appendFileSync(process.env.NOTED_MODULES as string, `${specifier}\n`);
    return next(specifier, context);
  },
});
