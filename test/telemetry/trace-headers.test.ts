/** What strangers write into `traceparent` and `tracestate` is taken if W3C Trace Context allows it, and else ignored. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTraceParent, parseTraceParent } from '../../src/core/trace.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const VALID = `00-${TRACE}-${SPAN}-01`;

test('a valid parent is taken, and comes out as it came in', () => {
  const parent = parseTraceParent(VALID, undefined);
  assert.deepEqual(parent, { traceId: TRACE, spanId: SPAN, isSampled: true, state: undefined });
  assert.equal(parent && formatTraceParent(parent), VALID);
  assert.equal(parseTraceParent(`00-${TRACE}-${SPAN}-00`, undefined)?.isSampled, false);
  assert.equal(parseTraceParent(`00-${TRACE}-${SPAN}-02`, undefined)?.isSampled, false);
  assert.equal(parseTraceParent(`00-${TRACE}-${SPAN}-ff`, undefined)?.isSampled, true);
});

test('a later version is understood as far as it says what this one does', () => {
  for (const later of [`01-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-01-what-comes-next`]) {
    assert.equal(parseTraceParent(later, undefined)?.traceId, TRACE, later);
  }
});

test('anything else is no parent', () => {
  const odd: unknown[] = [
    ...[
      '',
      'x',
      '00',
      `${VALID}-`,
      `${VALID}-more`,
      `${VALID} `,
      ` ${VALID}`,
      `${VALID}\n`,
      `${VALID}, ${VALID}`,
    ],
    ...[`ff-${TRACE}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`],
    ...[VALID.toUpperCase(), `00-${TRACE}-${SPAN}-0`, `00-${TRACE}-${SPAN}-zz`, `00-${TRACE}${SPAN}-01`],
    ...[`01-${TRACE}-${SPAN}-01x`, `01-${TRACE}-${SPAN}-01-${'x'.repeat(100)}`, 'x'.repeat(1_000_000)],
    ...[undefined, null, 7, {}, [VALID], Buffer.from(VALID)],
  ];
  for (const one of odd) assert.equal(parseTraceParent(one, undefined), undefined, String(one).slice(0, 80));
});

test('a valid state is passed on, and any other is dropped without its parent', () => {
  const stateOf = (state: unknown) => {
    const parent = parseTraceParent(VALID, state);
    assert.equal(parent?.traceId, TRACE);
    return parent?.state;
  };
  assert.equal(stateOf('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'), 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE');
  assert.equal(stateOf(' a=1 ,, t@v=2,'), 'a=1,t@v=2');
  const odd: unknown[] = [
    ...['', ',', 'a', '=1', 'A=1', 'a=', 'a=1,b', 'a=1\r\nx: y', 'a=ä', 'a=1=2', 'a=\u0000'],
    ...[
      `a=${'x'.repeat(511)}`,
      Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(),
      'a,'.repeat(1_000_000),
    ],
    ...[undefined, 7, ['a=1']],
  ];
  for (const one of odd) assert.equal(stateOf(one), undefined, String(one).slice(0, 80));
});
