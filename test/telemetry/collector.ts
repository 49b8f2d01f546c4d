/** An OTLP/HTTP collector: takes spans as JSON, or does what else a test wants of it. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../support/gateway.ts';

export interface ReceivedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
  /** 2: it has failed. */
  readonly statusCode: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface Collector {
  readonly url: string;
  /** Every byte of every export, in order. */
  readonly bodies: string[];
  readonly headers: IncomingHttpHeaders[];
  /** Of one trace, once there are so many of them, by their beginning. */
  trace(traceId: string, count: number): Promise<ReceivedSpan[]>;
  spans(): ReceivedSpan[];
  stop(): Promise<void>;
}

type Answer = (response: ServerResponse) => void;

/** @param port 0: any */
export async function startCollector(answer: Answer = takeAll, port = 0): Promise<Collector> {
  const bodies: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    bodies.push(Buffer.concat(pieces).toString());
    headers.push(request.headers);
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const spans = () => bodies.flatMap(spansOf);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    headers,
    spans,
    async trace(traceId, count) {
      const found = () => spans().filter((span) => span.traceId === traceId);
      await until(() => found().length >= count, `${count} spans of ${traceId}`, 20_000);
      return found().toSorted((one, other) => one.startMs - other.startMs);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function takeAll(response: ServerResponse): void {
  response.setHeader('content-type', 'application/json').end('{}');
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface Exported {
  readonly resourceSpans: {
    readonly resource: { readonly attributes: Attribute[] };
    readonly scopeSpans: { readonly spans: Record<string, unknown>[] }[];
  }[];
}

function spansOf(body: string): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(body) as Exported;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        name: String(span.name),
        kind: Number(span.kind),
        traceId: String(span.traceId),
        spanId: String(span.spanId),
        parentSpanId: span.parentSpanId as string | undefined,
        startMs: Number(BigInt(String(span.startTimeUnixNano))) / 1e6,
        endMs: Number(BigInt(String(span.endTimeUnixNano))) / 1e6,
        statusCode: Number((span.status as { code?: number }).code ?? 0),
        attributes: record(span.attributes as Attribute[]),
        resource: record(resource.attributes),
      })),
    ),
  );
}

function record(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
