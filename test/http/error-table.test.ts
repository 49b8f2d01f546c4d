/** Every error code is documented as it is, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ErrorName, errorBody, errorTable, refusal } from '../../src/core/errors.ts';

const names = Object.keys(errorTable) as ErrorName[];

test('OPERATIONS.md lists each code with its status, blame, meaning and remedy', () => {
  const rows = documentedRows();
  const expected = names.map((name) => {
    const { code, status, blame, retryable, meaning } = errorTable[name];
    return [`\`${code}\``, String(status), blame, retryable ? 'yes' : 'no', meaning];
  });
  assert.deepEqual(
    rows.map((row) => row.slice(0, 5)),
    expected,
  );
  for (const [code, , , , , remedy = ''] of rows) assert.ok(remedy.length > 10, `${code} has a remedy`);
});

test('codes are distinct, and named as the entry is wherever OpenAI has no name of its own', () => {
  const codes = names.map((name) => errorTable[name].code);
  assert.equal(new Set(codes).size, codes.length);
  const ofOpenAi: Partial<Record<ErrorName, string>> = {
    missing_parameter: 'missing_required_parameter',
    invalid_parameter: 'invalid_value',
  };
  for (const name of names) assert.equal(errorTable[name].code, ofOpenAi[name] ?? name);
});

test('status, blame and retry fit together', () => {
  for (const name of names) {
    const { status, blame, retryable } = errorTable[name];
    if (blame === 'client') assert.deepEqual([status >= 400 && status < 500, retryable], [true, false], name);
    if (blame === 'upstream' || blame === 'us')
      assert.deepEqual([status >= 500, retryable], [true, true], name);
  }
});

test('an error body has the four fields of OpenAI, null where there is nothing to say', () => {
  for (const name of names) {
    const { error } = JSON.parse(errorBody(refusal(name, 'Say "what".'))) as {
      error: Record<string, unknown>;
    };
    const { type, code } = errorTable[name];
    assert.deepEqual(error, { message: 'Say "what".', type, param: null, code });
    const withParam = JSON.parse(errorBody(refusal(name, 'x', { param: 'model' }))) as typeof error & {
      error: object;
    };
    assert.deepEqual(withParam.error, { message: 'x', type, param: 'model', code });
  }
});

/** Cells of the table below the heading. */
function documentedRows(): string[][] {
  const text = readFileSync(new URL('../../OPERATIONS.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split(/^## Error codes$/m);
  const [body = ''] = section.split(/^## /m);
  const lines = body.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
