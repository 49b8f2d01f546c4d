/**
 * Characters by what a tokenizer makes of them: it covers four or five Latin letters with a token, about one
 * Chinese sign, two digits or brackets.
 *
 * Only so much of a prompt is looked at: a text of a megabyte is known well enough from 4,096 characters in
 * sixteen places. Who hides another script in between gets too small a reservation, and the settlement after the
 * call puts it right.
 */

/** UTF-16 units by class. */
export interface TextCounts {
  /** Latin letters and the spaces between words. */
  letters: number;
  /** Han, Kana, Hangul and the signs that are set among them. */
  cjk: number;
  /** Digits, punctuation, line ends: what code and JSON have more of than prose. */
  code: number;
  /** Cyrillic, Arabic, Thai, emoji … */
  other: number;
  /** How many were looked at in all the texts of a call. */
  examined: number;
}

/** Of one text. */
const EXAMINED_MAX = 4_096;
const WINDOWS = 16;
/** When so much of a call has been looked at, its further texts get a short look each. */
const THOROUGH_MAX = 65_536;
const SHORT_LOOK = 32;

const LETTERS = new Uint8Array(128);
for (const letter of ' abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
  LETTERS[letter.charCodeAt(0)] = 1;

export function countText(counts: TextCounts, text: string): void {
  const { length } = text;
  const thorough = counts.examined < THOROUGH_MAX;
  const examinedMax = thorough ? EXAMINED_MAX : SHORT_LOOK;
  if (length <= examinedMax) {
    countSpan(counts, text, 0, length, 1);
    return;
  }
  const windows = thorough ? WINDOWS : 1;
  const width = examinedMax / windows;
  const stride = (length - width) / Math.max(1, windows - 1);
  for (let window = 0; window < windows; window += 1) {
    const from = Math.floor(window * stride);
    countSpan(counts, text, from, from + width, length / examinedMax);
  }
}

function countSpan(counts: TextCounts, text: string, from: number, to: number, weight: number): void {
  let letters = 0;
  let cjk = 0;
  let other = 0;
  for (let at = from; at < to; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 128) letters += LETTERS[unit] as number;
    else if (unit < 0x250) letters += 1;
    else if (isCjk(unit)) cjk += 1;
    else if (unit < 0x2000 || unit >= 0x2070) other += 1; // between them, dashes and curly quotes
  }
  counts.letters += letters * weight;
  counts.cjk += cjk * weight;
  counts.other += other * weight;
  counts.code += (to - from - letters - cjk - other) * weight;
  counts.examined += to - from;
}

/** Of a pair of surrogates each half counts; those of the rarer Han signs lie in a range of their own. */
function isCjk(unit: number): boolean {
  return (
    (unit >= 0x2e80 && unit < 0xa000) ||
    (unit >= 0xac00 && unit < 0xd7b0) ||
    (unit >= 0x1100 && unit < 0x1200) ||
    (unit >= 0xd840 && unit < 0xd880) ||
    (unit >= 0xf900 && unit < 0xfb00) ||
    (unit >= 0xff00 && unit < 0xfff0)
  );
}
