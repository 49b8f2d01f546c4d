import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { imagePixels } from '../../../src/admission/estimate/image-size.ts';
import { estimateChat } from './prose.ts';

function dataUrl(bytes: Buffer, type = 'image/png'): string {
  return `data:${type};base64,${bytes.toString('base64')}`;
}

function bigEndian(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

function littleEndian(value: number, bytes: number): Buffer {
  return bigEndian(value, bytes).reverse();
}

function png(width: number, height: number, rows = deflateSync(Buffer.alloc(height * (1 + width)))): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
    return Buffer.concat([bigEndian(data.length, 4), body, bigEndian(crc32(body), 4)]);
  };
  const header = Buffer.concat([bigEndian(width, 4), bigEndian(height, 4), Buffer.from([8, 0, 0, 0, 0])]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function gif(width: number, height: number): Buffer {
  return Buffer.concat([
    Buffer.from('GIF89a', 'latin1'),
    littleEndian(width, 2),
    littleEndian(height, 2),
    Buffer.from('8000000000 00ffffff 2c00000000010001000002 024401003b'.replaceAll(' ', ''), 'hex'),
  ]);
}

/** @param before segments that stand in front of the frame's */
function jpeg(width: number, height: number, before: readonly Buffer[] = [], frame = 0xc0): Buffer {
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, Buffer.from('4a46494600010100000100010000', 'hex')),
    ...before,
    segment(0xdb, Buffer.alloc(65, 1)),
    segment(
      frame,
      Buffer.concat([
        Buffer.from([8]),
        bigEndian(height, 2),
        bigEndian(width, 2),
        Buffer.from('01011100', 'hex'),
      ]),
    ),
    segment(0xc4, Buffer.alloc(29)),
    segment(0xda, Buffer.from('0101003f00', 'hex')),
    Buffer.from([0x00, 0xff, 0xd9]),
  ]);
}

function segment(marker: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xff, marker]), bigEndian(data.length + 2, 2), data]);
}

function webp(kind: string, data: Buffer): Buffer {
  const chunk = Buffer.concat([Buffer.from(kind, 'latin1'), littleEndian(data.length, 4), data]);
  return Buffer.concat([Buffer.from('RIFF'), littleEndian(chunk.length + 4, 4), Buffer.from('WEBP'), chunk]);
}

function lossy(width: number, height: number): Buffer {
  const frame = Buffer.from('3001009d012a', 'hex');
  return webp(
    'VP8 ',
    Buffer.concat([frame, littleEndian(width | 0x4000, 2), littleEndian(height, 2), Buffer.alloc(8)]),
  );
}

function lossless(width: number, height: number): Buffer {
  const size = width - 1 + (height - 1) * 0x4000;
  return webp('VP8L', Buffer.concat([Buffer.from([0x2f]), littleEndian(size, 4), Buffer.alloc(8)]));
}

function extended(width: number, height: number): Buffer {
  return webp(
    'VP8X',
    Buffer.concat([Buffer.from([0x10, 0, 0, 0]), littleEndian(width - 1, 3), littleEndian(height - 1, 3)]),
  );
}

const files: Readonly<Record<string, readonly [bytes: Buffer, pixels: number]>> = {
  'a PNG': [png(17, 5), 85],
  'a GIF': [gif(640, 480), 307_200],
  'a JPEG': [jpeg(1_920, 1_080), 2_073_600],
  'a progressive JPEG': [jpeg(300, 200, [], 0xc2), 60_000],
  'a JPEG behind its own thumbnail': [
    jpeg(4_000, 3_000, [segment(0xe1, Buffer.concat([Buffer.from('Exif'), jpeg(16, 16)]))]),
    12_000_000,
  ],
  'a JPEG behind 60 KB of colour profile': [jpeg(31, 3, [segment(0xe2, Buffer.alloc(60_000, 0xff))]), 93],
  'a JPEG with filling between its segments': [jpeg(20, 10, [Buffer.from([0xff, 0xff, 0xff])]), 200],
  'a JPEG whose tables come first': [jpeg(40, 30, [segment(0xc4, Buffer.alloc(29, 7))]), 1_200],
  'a lossy WebP': [lossy(550, 368), 202_400],
  'a lossless WebP': [lossless(16_383, 9), 147_447],
  'an extended WebP': [extended(2_000, 1_000), 2_000_000],
};

for (const [name, [bytes, pixels]] of Object.entries(files)) {
  test(`the resolution of ${name} is read from its header`, () => {
    assert.equal(imagePixels(dataUrl(bytes)), pixels);
  });

  test(`${name}, cut off anywhere, is unknown or as large as it says`, () => {
    for (let length = 0; length < Math.min(bytes.length, 600); length += 1) {
      assert.ok([undefined, pixels].includes(imagePixels(dataUrl(bytes.subarray(0, length)))), `${length}`);
    }
    assert.equal(imagePixels(dataUrl(bytes.subarray(0, 9))), undefined);
  });
}

test('the type that an address claims is not believed, nor asked for', () => {
  assert.equal(imagePixels(dataUrl(gif(3, 4), 'image/png')), 12);
  assert.equal(imagePixels(`DATA:;x=y;Base64,${png(3, 5).toString('base64')}`), 15);
});

const unknown: Readonly<Record<string, string>> = {
  'by address': 'https://example.com/a.png',
  'without data': 'data:image/png;base64,',
  'that is text': 'data:image/png;base64,SGVsbG8gdGhlcmU=',
  'that is not in base64': `data:image/png,${png(2, 2).toString('latin1')}`,
  'without width': dataUrl(gif(0, 100)),
  'that claims more than any image has': dataUrl(png(0x7fffffff, 0x7fffffff, Buffer.alloc(1))),
  'whose segments lead nowhere': dataUrl(jpeg(9, 9, [Buffer.from([0xff, 0xe0, 0x00, 0x00])])),
  'whose first segment is longer than is read': dataUrl(
    jpeg(9, 9, [segment(0xe1, Buffer.alloc(65_500)), segment(0xe1, Buffer.alloc(65_500))]),
  ),
  'whose preamble never ends': `data:${'a'.repeat(1_000_000)}`,
};

for (const [name, url] of Object.entries(unknown)) {
  test(`an image ${name} has no known resolution, and costs what images usually do`, () => {
    assert.equal(imagePixels(url), undefined);
    const body = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] };
    const { inputTokens, images } = estimateChat(new Estimator(() => undefined), body);
    assert.deepEqual(images, [{ pixels: undefined }]);
    assert.ok(inputTokens > 1_000 && inputTokens < 2_000, `${inputTokens}`);
  });
}

test('a header that claims a huge image cannot cost more than servers scale images down to', () => {
  const url = dataUrl(png(60_000, 60_000, Buffer.alloc(1)));
  const body = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] };
  const { inputTokens, images } = estimateChat(new Estimator(() => undefined), body);
  assert.deepEqual(images, [{ pixels: 3_600_000_000 }]);
  assert.ok(inputTokens < 17_000, `${inputTokens}`);
});

test('an image of 20 MB takes no longer to measure than a small one', () => {
  const large = dataUrl(Buffer.concat([jpeg(800, 600), Buffer.alloc(15_000_000)]));
  const begunMs = performance.now();
  for (let round = 0; round < 1_000; round += 1) assert.equal(imagePixels(large), 480_000);
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs < 1_000, `${tookMs} ms for a thousand; decoding one takes several`);
});
