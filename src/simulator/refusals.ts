/** Answers that are no success, in the shapes of vLLM and of the web framework below it. */
import type { Whole } from './answer.ts';

export function refused(status: number, type: string, message: string, param: string | null = null): Whole {
  return whole(status, JSON.stringify({ error: { message, type, param, code: status } }));
}

export function badRequest(message: string, param: string | null = null): Whole {
  return refused(400, 'BadRequestError', message, param);
}

export function unknownModel(model: string): Whole {
  return refused(404, 'NotFoundError', `The model \`${model}\` does not exist.`, 'model');
}

export function missingField(name: string): Whole {
  return refused(
    400,
    'Bad Request',
    `[{'type': 'missing', 'loc': ('body', '${name}'), 'msg': 'Field required'}]`,
  );
}

export function badJson(): Whole {
  return refused(
    400,
    'Bad Request',
    "[{'type': 'json_invalid', 'loc': ('body', 0), 'msg': 'JSON decode error', 'input': {}}]",
  );
}

export const unauthorized = whole(401, '{"error":"Unauthorized"}');
export const notFound = whole(404, '{"detail":"Not Found"}');
export const methodNotAllowed = whole(405, '{"detail":"Method Not Allowed"}');

const htmlPage = `<!doctype html><html><head><title>500 Internal Server Error</title></head><body>
<h1>Internal Server Error</h1>
<pre>Traceback (most recent call last):
  File "/opt/venv/lib/python3.12/site-packages/vllm/v1/engine/async_llm.py", line 381, in generate
    out = q.get_nowait() or await q.get()
vllm.v1.engine.exceptions.EngineDeadError: EngineCore at tcp://10.20.30.40:5555 encountered an issue
</pre></body></html>
`;

/** A failure on demand. `html` holds what must never reach a client: a stack trace and an inner address. */
export function failure(status: number, body: 'vllm' | 'html' | 'empty'): Whole {
  if (body === 'html') return { ...whole(status, htmlPage), contentType: 'text/html; charset=utf-8' };
  if (body === 'empty') return whole(status, '');
  if (status < 500) return refused(status, 'BadRequestError', 'Simulated failure');
  return refused(status, 'InternalServerError', 'EngineCore encountered an issue at tcp://10.20.30.40:5555');
}

function whole(status: number, body: string): Whole {
  return {
    kind: 'whole',
    status,
    contentType: 'application/json',
    body,
    promptTokens: 0,
    outputTokens: 0,
    steps: 0,
  };
}
