import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutageRules } from '../../src/command/rules.js';
import { COMMAND_NAMES, COMMANDS } from '../../src/command/table.js';
import { Admission, patienceOf } from '../../src/proxy/admission.js';
import { FlightWindow } from '../../src/proxy/flight-window.js';
import { Observer, ROUTES, type RouteName } from '../../src/proxy/observer.js';
import { PROMPT, SLOW } from '../../src/upstream/in-flight.js';
import { property } from '../helpers/fuzz.js';

const [GET, EVAL, MULTI] = ['get', 'eval', 'multi'].map((name) => COMMAND_NAMES.indexOf(name)) as [
  number,
  number,
  number,
];

function newAdmission(filter: (passes: Uint8Array) => Uint8Array = (passes) => passes): {
  admission: Admission;
  counted: (id: number, route: RouteName) => number;
} {
  const observer = new Observer();
  const counted = (id: number, route: RouteName): number =>
    observer.commands[id * ROUTES.length + ROUTES.indexOf(route)]!;
  return { admission: new Admission(observer, filter), counted };
}

/** A short command, its name and one argument unless told otherwise. */
function admits(admission: Admission, id: number, argumentCount = 2, bytes = 30): boolean {
  return admission.admits(id, bytes, argumentCount);
}

test('nothing is admitted before the client has a place, nor after it was closed', () => {
  const { admission } = newAdmission();
  assert.ok(!admits(admission, GET));
  admission.moveTo('shared');
  assert.ok(admits(admission, GET));
  assert.ok(!admits(admission, MULTI));
  admission.close();
  assert.ok(!admits(admission, GET) && !admission.passes(GET));
});

test('what is admitted is counted where it goes, the rest where it was decided', () => {
  const { admission, counted } = newAdmission();
  admission.moveTo('shared');
  admits(admission, GET);
  admits(admission, MULTI);
  admission.moveTo('pinned');
  admits(admission, GET);
  admits(admission, GET);
  admission.count(MULTI, 'refused');
  admission.count(MULTI, null);
  assert.deepEqual([counted(GET, 'shared'), counted(GET, 'pinned')], [1, 2]);
  assert.deepEqual([counted(MULTI, 'refused'), counted(MULTI, 'pinned')], [1, 1]);
});

test('no more than the window are admitted, and what is not admitted is not counted', () => {
  const { admission, counted } = newAdmission();
  admission.moveTo('shared');
  admission.limitTo(2);
  assert.deepEqual(
    [GET, GET, GET].map((id) => admits(admission, id)),
    [true, true, false],
  );
  assert.ok(admission.isFull && admission.passes(GET));
  assert.equal(counted(GET, 'shared'), 2);
  admission.limitTo(Infinity);
  assert.ok(admits(admission, GET));
});

test('one slow command makes its whole run slow, and no other', () => {
  const { admission } = newAdmission();
  admission.moveTo('shared');
  admits(admission, GET);
  admits(admission, EVAL);
  admits(admission, GET);
  assert.deepEqual([admission.takePatience(), admission.takePatience()], [SLOW, PROMPT]);
  assert.deepEqual([patienceOf(EVAL), patienceOf(GET)], [SLOW, PROMPT]);
});

test('what an upstream must not get unseen is not admitted', () => {
  const { admission } = newAdmission((passes) => passes.map((pass, id) => (id === GET ? 0 : pass)));
  admission.moveTo('shared');
  assert.ok(!admits(admission, GET) && admits(admission, EVAL));
});

test('a command that nobody knows is not admitted where others could be disturbed', () => {
  const { admission } = newAdmission();
  for (const position of ['shared', 'pinned', 'broken', 'locked'] as const) {
    admission.moveTo(position);
    assert.ok(!admits(admission, 0), position);
  }
  assert.equal(COMMANDS[0]!.name, 'other');
});

test('in an outage plain reads are admitted and counted by themselves, and no writes', () => {
  const { admission, counted } = newAdmission();
  const [SET, PUBLISH] = ['set', 'publish'].map((name) => COMMAND_NAMES.indexOf(name));
  admission.moveToOutage('shared', new OutageRules([]));
  assert.deepEqual(
    [GET, SET!, PUBLISH!, EVAL, MULTI].map((id) => admits(admission, id)),
    [true, false, false, false, false],
  );
  assert.equal(counted(GET, 'outage'), 1);
  admission.moveToOutage('locked', new OutageRules([]));
  assert.ok(!admits(admission, GET));
  admission.moveTo('shared');
  assert.ok(admits(admission, SET!));
});

test('where there are rules nobody looks away in an outage', () => {
  const { admission } = newAdmission();
  const rules = new OutageRules([{ command: null, prefix: 'lock:', class: 'refuse' }]);
  admission.moveToOutage('shared', rules);
  assert.ok(!admits(admission, GET));
});

/** The window after `count` replies of `bytes` each. */
function windowAfter(count: number, bytes: number, window = new FlightWindow()): FlightWindow {
  for (let reply = 0; reply < count; reply += 1) window.learn(bytes, 1);
  return window;
}

test('a window begins small and opens for small replies', () => {
  assert.equal(new FlightWindow().size, 64);
  assert.equal(windowAfter(100, 5).size, 1024);
});

test('the heavier the replies, the fewer may be ordered ahead, but always a few', () => {
  assert.equal(windowAfter(100, 64 * 1024).size, 64);
  assert.equal(windowAfter(100, 1024 * 1024).size, 4);
  assert.equal(windowAfter(100, 512 * 1024 * 1024).size, 4);
});

test('a window learns when the replies change', () => {
  const window = windowAfter(1000, 5);
  assert.equal(windowAfter(300, 1024 * 1024, window).size, 4);
  assert.equal(windowAfter(5000, 5, window).size, 1024);
});

test('parts of a long reply weigh, though none has ended', () => {
  const window = new FlightWindow();
  for (let part = 0; part < 1000; part += 1) window.learn(64 * 1024, 0);
  assert.equal(window.size, 64);
  for (let reply = 0; reply < 20; reply += 1) window.learn(10, 1);
  assert.equal(window.size, 4);
});

property('a window is never closed and never without bounds', 200, (random) => {
  const window = new FlightWindow();
  for (let step = 0; step < 500; step += 1) {
    window.learn(Math.floor(random() ** 6 * 1e9), random() < 0.7 ? 1 : 0);
    assert.ok(window.size >= 4 && window.size <= 1024 && Number.isInteger(window.size));
  }
});
