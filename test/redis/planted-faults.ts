/** Scripts that are broken on purpose: whoever judges the right ones has to notice. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

/** Another text in a script than the right one. */
export interface PlantedFault {
  readonly name: string;
  readonly right: string;
  readonly wrong: string;
}

/** @param differenceWith runs the judge on scripts that were adapted; what it has noticed */
export function noticesEach(
  faults: readonly PlantedFault[],
  differenceWith: (t: TestContext, adapt: (lua: string) => string) => Promise<string | undefined>,
): void {
  for (const { name, right, wrong } of faults) {
    test(`the random sequences notice when ${name}`, async (t) => {
      let isBroken = false;
      const difference = await differenceWith(t, (lua) => {
        if (!lua.includes(right)) return lua;
        isBroken = true;
        return lua.replace(right, wrong);
      });
      assert.ok(isBroken, 'the scripts have changed: break them in another way');
      assert.ok(difference, 'nobody has noticed');
      t.diagnostic(difference.split('\n')[0]?.slice(0, 150) ?? '');
    });
  }
}
