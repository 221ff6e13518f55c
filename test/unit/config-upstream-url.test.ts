import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeUpstream, maskUrl, upstreamUrl } from '../../src/config/upstream-url.js';

function parse(text: string): unknown {
  const parsed = upstreamUrl.parse(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

const NOBODY = { user: null, password: null, db: 0 };

test('a redis URL names host, port, login and database', () => {
  const host = { kind: 'tcp', host: 'h', port: 6379, tls: false };
  assert.deepEqual(parse('redis://h'), { ...host, ...NOBODY });
  assert.deepEqual(parse('redis://h:1/'), { ...host, port: 1, ...NOBODY });
  assert.deepEqual(parse('redis://h/7'), { ...host, ...NOBODY, db: 7 });
  assert.deepEqual(parse('redis://h?db=7'), { ...host, ...NOBODY, db: 7 });
  assert.deepEqual(parse('rediss://u:p@[::1]:1/2'), {
    kind: 'tcp',
    host: '::1',
    port: 1,
    tls: true,
    user: 'u',
    password: 'p',
    db: 2,
  });
  assert.deepEqual(parse('redis://:p@h'), { ...host, ...NOBODY, password: 'p' });
  assert.deepEqual(parse('redis://u@h'), { ...host, ...NOBODY, user: 'u' });
});

test('a password may hold what people paste, and percent escapes', () => {
  const password = (text: string): unknown => (parse(text) as { password: unknown }).password;
  assert.equal(password('redis://u:a/b@c#d:e?@h:1/2'), 'a/b@c#d:e?');
  assert.equal(password('redis://u:a%2Fb%40@h'), 'a/b@');
  const broken = upstreamUrl.parse('redis://u:100%@h');
  assert.ok(!broken.ok && broken.why?.includes('%25'));
});

test('the other kinds of upstream are told apart', () => {
  assert.deepEqual(parse('embedded:'), { kind: 'embedded' });
  assert.deepEqual(parse('embedded'), { kind: 'embedded' });
  const unix = { kind: 'unix', path: '/run/r@1.sock', ...NOBODY };
  assert.deepEqual(parse('unix:///run/r@1.sock'), unix);
  assert.deepEqual(parse('unix:/run/r@1.sock'), unix);
  assert.deepEqual(parse('unix://u:p@/r.sock?db=3'), {
    kind: 'unix',
    path: '/r.sock',
    user: 'u',
    password: 'p',
    db: 3,
  });
  assert.deepEqual(parse('sentinel://:p@a:1,b/main'), {
    kind: 'sentinel',
    sentinels: [
      { host: 'a', port: 1 },
      { host: 'b', port: 26379 },
    ],
    name: 'main',
    ...NOBODY,
    password: 'p',
  });
  assert.deepEqual(parse('cluster://a:1,[::2]:2'), {
    kind: 'cluster',
    nodes: [
      { host: 'a', port: 1 },
      { host: '::2', port: 2 },
    ],
    ...NOBODY,
  });
});

test('what is no upstream URL is refused', () => {
  const wrong = [
    '',
    'h:6379',
    'http://h',
    'redis:h',
    'redis://',
    'redis://:p@',
    'redis://h:0',
    'redis://h:65536',
    'redis://h/x',
    'redis://h/99999',
    'redis://h?tls=yes',
    'redis://a,b',
    'unix://',
    'unix://run/x',
    'unix:///run/x?db=x',
    'sentinel://a:1',
    'sentinel://a:1/',
    'cluster://',
    'cluster://a:1,',
    'embedded:x',
  ];
  for (const text of wrong) assert.equal(upstreamUrl.parse(text).ok, false, text);
});

test('a URL for people is complete but for the password, and can be read back', () => {
  const texts = [
    'embedded:',
    'redis://h:6379',
    'rediss://us%2Fer:***@[::1]:1/2',
    'redis://:***@h:1',
    'unix://u:***@/r.sock?db=3',
    'sentinel://a:1,b:2/main',
    'cluster://u:***@a:1,b:2',
  ];
  for (const text of texts) {
    const parsed = upstreamUrl.parse(text.replace('***', 'secret'));
    assert.ok(parsed.ok, text);
    assert.equal(describeUpstream(parsed.value), text);
  }
});

test('whatever may be a password is masked in a URL that cannot be read', () => {
  const texts = [
    'redis://u:secret@h:99999',
    'redis://u:se@cret@h:x',
    'redis://secret@h:x',
    'redis:u:secret@h',
    'u:secret@h',
    'http://u:secret@h',
    'redis://h?password=secret',
    'redis://u:secret\n@h',
  ];
  for (const text of texts) assert.doesNotMatch(maskUrl(text), /secret|cret/, text);
  assert.equal(maskUrl('redis://u:secret@h:99999'), 'redis://***@h:99999');
  assert.equal(maskUrl('redis://h:99999'), 'redis://h:99999');
});
