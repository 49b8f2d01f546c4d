import { once } from 'node:events';
import { connect } from 'node:net';

export interface RedisTime {
  /** In the scripts of admission and settlement, with all that they call. */
  readonly scriptMicroseconds: number;
  /** Of its main thread: with networking, and everything else. */
  readonly cpuMicroseconds: number;
}

export async function redisTime(port: number): Promise<RedisTime> {
  const commands = await info(port, 'commandstats');
  const cpu = await info(port, 'cpu');
  const seconds = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(cpu)?.[1] ?? 0);
  const user = seconds('used_cpu_user_main_thread') || seconds('used_cpu_user');
  const system = seconds('used_cpu_sys_main_thread') || seconds('used_cpu_sys');
  return {
    scriptMicroseconds: Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(commands)?.[1] ?? 0),
    cpuMicroseconds: (user + system) * 1e6,
  };
}

async function info(port: number, section: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write(`INFO ${section}\r\n`);
    let text = '';
    for await (const piece of socket) {
      text += String(piece);
      const length = Number(/^\$(\d+)\r\n/.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
      if (text.length >= length) return text;
    }
    return text;
  } finally {
    socket.destroy();
  }
}
