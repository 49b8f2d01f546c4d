/**
 * The file of a backup: lines of JSON, compressed with zstd, and behind them a frame that zstd skips, with the SHA-256 of
 * all that stands before it. So `zstd -dc FILE` shows what is in it, and no bit of it changes unnoticed. Lines:
 *
 *     {"format": "sluice-backup", "version": 1, …}   what it is a copy of, and when it was begun
 *     {"name": …, "type": …, "rows": …}              a key, or a piece of one (redis/backup/entry.ts)
 *     {"end": true, "lines": n, …}                   how many lines stood between
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';

/** Of a frame that zstd skips, and that it is 32 bytes long; both little-endian. */
const SEAL_HEAD = Buffer.from('502a4d1820000000', 'hex');
const SEAL_BYTES = SEAL_HEAD.length + 32;
const PIECE_LENGTH = 64 * 1024;
/** The longest that Redis could hold, in the longest way to write it, is below. */
const LINE_BYTES_MAX = 1024 * 1024 * 1024;

/** Where it is written before it is whole. */
export function unfinishedName(file: string): string {
  return join(dirname(file), `.${basename(file)}.part`);
}

/**
 * Under its name the file is whole, on the disk, and readable by its owner alone; when this throws there is none.
 * @returns its size in bytes
 */
export async function writeSealed(file: string, lines: AsyncIterable<string>): Promise<number> {
  const unfinished = unfinishedName(file);
  await rm(unfinished, { force: true });
  const sum = createHash('sha256');
  try {
    const sink = createWriteStream(unfinished, { flags: 'wx', mode: 0o600 });
    await pipeline(Readable.from(terminated(lines)), createZstdCompress(), summing(sum), sink);
    await chmod(unfinished, 0o600);
    const handle = await open(unfinished, 'a');
    await handle.appendFile(Buffer.concat([SEAL_HEAD, sum.digest()]));
    await handle.sync();
    const { size } = await handle.stat();
    await handle.close();
    await rename(unfinished, file);
    await syncFolder(dirname(file));
    return size;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Many short lines at once: a piece through the compressor costs as much as a hundred of them. */
async function* terminated(lines: AsyncIterable<string>): AsyncGenerator<Buffer> {
  let text = '';
  for await (const line of lines) {
    text += `${line}\n`;
    if (text.length < PIECE_LENGTH) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

function summing(sum: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum.update(chunk);
      done(null, chunk);
    },
  });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether the file is what was written, to the last bit. @throws when it cannot be read */
export async function isSealed(file: string): Promise<boolean> {
  const { size } = await stat(file);
  if (size <= SEAL_BYTES) return false;
  const sum = createHash('sha256');
  for await (const chunk of createReadStream(file, { end: size - SEAL_BYTES - 1 })) sum.update(chunk);
  const seal: Buffer[] = [];
  for await (const chunk of createReadStream(file, { start: size - SEAL_BYTES })) seal.push(chunk);
  return Buffer.concat(seal).equals(Buffer.concat([SEAL_HEAD, sum.digest()]));
}

/** Of a file that is sealed. @param onRead told how much of it has been read, from 0 to 1 */
export async function* linesOf(
  file: string,
  onRead: (share: number) => void = () => undefined,
): AsyncGenerator<unknown> {
  const { size } = await stat(file);
  const source = createReadStream(file, { end: size - SEAL_BYTES - 1 });
  const plain = source.pipe(createZstdDecompress());
  source.on('error', (error) => plain.destroy(error));
  try {
    for await (const line of split(plain)) {
      onRead(source.bytesRead / size);
      yield JSON.parse(line.toString());
    }
  } finally {
    source.destroy();
    plain.destroy();
  }
}

async function* split(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, end)]);
      parts = [];
      length = 0;
      from = end + 1;
    }
    parts.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > LINE_BYTES_MAX) throw new Error('a line of the backup is too long');
  }
  if (length > 0) throw new Error('the last line of the backup has no end');
}
