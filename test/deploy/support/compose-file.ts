/** deploy/compose/compose.yaml as Docker Compose reads it: merged, its variables filled in, checked against its schema. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';

export const composeFolder = fileURLToPath(new URL('../../../deploy/compose/', import.meta.url));
const schemaFile = new URL('../../fixtures/compose-spec/compose-spec.json', import.meta.url);

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly init?: boolean;
  readonly user?: string;
  readonly command: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly secrets?: readonly string[];
  readonly networks: readonly string[] | Readonly<Record<string, object>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly deploy?: { readonly resources: { readonly limits: { readonly memory: string } } };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, object>>;
  readonly volumes: Readonly<Record<string, object>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

/** @param text default: the file itself. @throws on what its schema does not allow */
export function readCompose(text = composeText()): ComposeFile {
  const merged = parse(filledIn(text), { merge: true });
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  const fits = ajv.compile(JSON.parse(readFileSync(schemaFile, 'utf8')));
  if (!fits(merged)) throw new Error(ajv.errorsText(fits.errors, { separator: '\n' }));
  return merged as ComposeFile;
}

export function composeText(): string {
  return readFileSync(join(composeFolder, 'compose.yaml'), 'utf8');
}

/** Variables have their defaults; `$$` is a dollar. */
function filledIn(text: string): string {
  return text.replace(/\$(?:\$|\{(\w+):-([^}]*)\})/g, (_found, name?: string, value?: string) =>
    name === undefined ? '$' : (value ?? ''),
  );
}

/** `source:target[:ro]` */
export function mountsOf(service: Service) {
  return (service.volumes ?? []).map((text) => {
    const [source = '', target = '', mode = 'rw'] = text.split(':');
    return { source, target, mode };
  });
}

export function bytesOf(size: string): number {
  const [, amount, unit = ''] = /^(\d+)([kmg]?)b?$/.exec(size.toLowerCase()) ?? [];
  return Number(amount) * 1024 ** ' kmg'.indexOf(unit || ' ');
}
