/** The page that shows a document: Swagger UI, with nothing from elsewhere and no script within the page. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface PagePart {
  readonly contentType: string;
  /** Of a file. */
  readonly address: () => string;
}

const own = (name: string) => () => new URL(`./page/${name}`, import.meta.url).href;
const ofSwagger = (name: string) => () => import.meta.resolve(`@fastify/swagger-ui/static/${name}`);

export const pageParts: Readonly<Record<string, PagePart>> = {
  'page.css': { contentType: 'text/css; charset=utf-8', address: own('page.css') },
  'page.js': { contentType: 'text/javascript; charset=utf-8', address: own('page.js') },
  'swagger-ui.css': { contentType: 'text/css; charset=utf-8', address: ofSwagger('swagger-ui.css') },
  'swagger-ui-bundle.js': {
    contentType: 'text/javascript; charset=utf-8',
    address: ofSwagger('swagger-ui-bundle.js'),
  },
};

export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** Undefined: the page has no such part. Each is read once, by whom it is asked for first. */
export function partReader(): (name: string) => Promise<Buffer> | undefined {
  const held = new Map<string, Promise<Buffer>>();
  return (name) => {
    if (!Object.hasOwn(pageParts, name)) return undefined;
    const known = held.get(name);
    if (known) return known;
    const reading = readFile(fileURLToPath((pageParts[name] as PagePart).address()));
    held.set(name, reading);
    reading.catch(() => held.delete(name));
    return reading;
  };
}

export interface Page {
  readonly title: string;
  /** Path of the document that it shows. */
  readonly document: string;
  /** Whether its requests can be sent from the page: it has to come from the listener that it is about. */
  readonly canTry: boolean;
  /** Other pages: name and path. */
  readonly others: readonly (readonly [name: string, path: string])[];
}

/** All of it is ours: nothing comes from a request. */
export function pageHtml({ title, document, canTry, others }: Page): string {
  const links = others.map(([name, path]) => `<a href="${path}">${name}</a>`).join(' ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<nav><strong>${title}</strong> <a href="${document}">openapi.json</a> ${links}</nav>
<main id="document" data-address="${document}" data-can-try="${canTry}"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
</body>
</html>
`;
}
