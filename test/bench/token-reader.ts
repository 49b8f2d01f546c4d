/** Finds the times at which the upstream sent its tokens in the bytes of a stream, however a proxy has cut them. */
import { STAMP_DIGITS, STAMP_MARK } from './requests.ts';

const MARK = STAMP_MARK.charCodeAt(0);
const ZERO = 0x30;

/** Calls back with each stamp in the bytes; one that is split between two pieces is put together. */
export function createTokenReader(onToken: (sentAtMicroseconds: number) => void): (bytes: Buffer) => void {
  let rest: Buffer | undefined;
  return (piece) => {
    const bytes = rest ? Buffer.concat([rest, piece]) : piece;
    rest = undefined;
    for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at + 1)) {
      if (at + STAMP_DIGITS >= bytes.length) {
        rest = Buffer.from(bytes.subarray(at));
        return;
      }
      let stamp = 0;
      for (let digit = at + 1; digit <= at + STAMP_DIGITS; digit += 1) {
        stamp = stamp * 10 + (bytes[digit] ?? ZERO) - ZERO;
      }
      onToken(stamp);
    }
  };
}
