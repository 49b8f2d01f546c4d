import { createServer } from 'node:net';

type Outcome = 'taken' | 'forbidden' | 'unknown host';

const outcomes: Readonly<Record<string, Outcome>> = {
  EADDRINUSE: 'taken',
  EACCES: 'forbidden',
  EADDRNOTAVAIL: 'unknown host',
  ENOTFOUND: 'unknown host',
};

/** A port that nobody uses now. */
export async function freePort(host: string): Promise<number> {
  const bound = await bindForAMoment(host, 0);
  if (typeof bound !== 'number') throw new Error(`no port can be had on ${host}: ${bound}.`);
  return bound;
}

/** The port (another one for 0), or why it cannot be had. It is free again when this returns. */
export function bindForAMoment(host: string, port: number): Promise<number | Outcome> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const outcome = outcomes[error.code ?? ''];
      if (outcome) resolve(outcome);
      else reject(error);
    });
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const boundPort = typeof address === 'object' && address ? address.port : port;
      server.close(() => resolve(boundPort));
    });
  });
}
