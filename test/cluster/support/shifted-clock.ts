/** Loaded before a process begins (`node --import`): its wall clock is off by `?ms=` of this module's address. */
const offsetMs = Number(new URL(import.meta.url).searchParams.get('ms'));
const Honest = Date;
const shiftedNow = () => Honest.now() + offsetMs;

globalThis.Date = new Proxy(Honest, {
  construct: (target, given) => Reflect.construct(target, given.length === 0 ? [shiftedNow()] : given),
  get: (target, name) => (name === 'now' ? shiftedNow : Reflect.get(target, name)),
});
