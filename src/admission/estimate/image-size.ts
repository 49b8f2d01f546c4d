/**
 * The resolution of an image that travels in a `data:` URL, read from its own header. Nothing is decoded beyond
 * the header, and what it claims is what a decoder would go by as well.
 */

/** `data:image/png;base64`; parameters of a media type are short. */
const PREAMBLE_MAX = 256;
/** Enough for all formats but JPEG. */
const HEADER_BYTES = 48;
/** In a JPEG thumbnails and colour profiles may come first. */
const JPEG_BYTES = [1_536, 65_536];
/** The most that JPEG, GIF and WebP can say. A PNG that claims more is not believed. */
const SIDE_MAX = 65_535;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Undefined for everything else: other addresses, other formats, broken or cut-off headers. */
export function imagePixels(url: string): number | undefined {
  const preamble = url.slice(0, PREAMBLE_MAX);
  const comma = preamble.indexOf(',');
  if (comma < 0 || !/^data:.*;base64$/is.test(preamble.slice(0, comma))) return undefined;
  const bytes = decoded(url, comma + 1, HEADER_BYTES);
  const size = pngSize(bytes) ?? gifSize(bytes) ?? webpSize(bytes) ?? jpegSizeIn(url, comma + 1, bytes);
  if (!size || size.width < 1 || size.height < 1) return undefined;
  return size.width > SIDE_MAX || size.height > SIDE_MAX ? undefined : size.width * size.height;
}

function decoded(url: string, from: number, bytes: number): Buffer {
  return Buffer.from(url.slice(from, from + Math.ceil(bytes / 3) * 4), 'base64');
}

/** Signature of eight bytes, then the header chunk, big-endian. */
function pngSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 24 || bytes.readUInt32BE(0) !== 0x89504e47 || bytes.readUInt32BE(4) !== 0x0d0a1a0a) {
    return undefined;
  }
  if (tag(bytes, 12) !== 'IHDR') return undefined;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** The logical screen. */
function gifSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 10 || !/^GIF8[79]a$/.test(bytes.toString('latin1', 0, 6))) return undefined;
  return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
}

/** Three kinds (RFC 9649): lossy, lossless, and extended with its canvas. */
function webpSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 30 || tag(bytes, 0) !== 'RIFF' || tag(bytes, 8) !== 'WEBP') return undefined;
  switch (tag(bytes, 12)) {
    case 'VP8 ':
      if (bytes.readUIntBE(23, 3) !== 0x9d012a) return undefined;
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    case 'VP8L': {
      if (bytes[20] !== 0x2f) return undefined;
      const bits = bytes.readUInt32LE(21);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8X':
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    default:
      return undefined;
  }
}

function jpegSizeIn(url: string, from: number, header: Buffer): Size | undefined {
  if (header.length < 4 || header.readUIntBE(0, 3) !== 0xffd8ff) return undefined;
  for (const bytesMax of JPEG_BYTES) {
    const size = jpegSize(decoded(url, from, bytesMax));
    if (size) return size;
  }
  return undefined;
}

/** Goes from segment to segment until the frame's own. */
function jpegSize(bytes: Buffer): Size | undefined {
  let at = 2;
  while (at + 9 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) at += 1;
    else if (isFrame(marker))
      return { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5) };
    else at += 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}

/** SOF0 … SOF15 without the tables (DHT, JPG, DAC) that stand among them. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function tag(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, at + 4);
}
