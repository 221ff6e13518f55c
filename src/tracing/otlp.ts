/**
 * Spans in the JSON of OTLP/HTTP, with the names that OpenTelemetry's semantic conventions give to a Redis client's
 * commands. Pure but for the ids. By hand because it is this much; see docs/decisions/0025-otlp-by-hand.md.
 */
import { randomBytes } from 'node:crypto';
import type { ObservedRoute } from './observed-command.js';

/** What is kept of a command until it is exported: nothing that refers to a client's bytes. */
export interface Span {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly route: ObservedRoute;
  readonly db: number;
  readonly requestBytes: number | null;
  readonly error: string | null;
}

/** What all spans of this process have in common. */
export interface SpanOrigin {
  readonly version: string;
  /** The upstream's; null where it has none. */
  readonly server: { readonly address: string; readonly port: number | null } | null;
}

type Value = string | number | null;
type Attribute = readonly [key: string, value: Value];

const SPAN_KIND_CLIENT = 3;
const STATUS_ERROR = 2;
const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

/** The body of one `POST /v1/traces`. */
export function exportRequest(spans: readonly Span[], origin: SpanOrigin): string {
  const { version } = origin;
  const resource: Attribute[] = [
    ['service.name', 'respool'],
    ['service.version', version],
  ];
  const scopeSpans = [
    { scope: { name: 'respool', version }, spans: spans.map((span) => encodeSpan(span, origin)) },
  ];
  return JSON.stringify({ resourceSpans: [{ resource: encode(resource), scopeSpans }] });
}

/** A trace of its own: a command brings nothing along that would say what it belongs to. */
function encodeSpan(span: Span, { server }: SpanOrigin): object {
  const { name, startMs, endMs, error, route } = span;
  const ids = randomBytes(TRACE_ID_BYTES + SPAN_ID_BYTES).toString('hex');
  const isRemote = server !== null && route !== 'outage';
  const errorType = error === 'other' ? '_OTHER' : error;
  const attributes: Attribute[] = [
    ['db.system.name', 'redis'],
    ['db.operation.name', name.toUpperCase()],
    ['db.namespace', String(span.db)],
    ['server.address', isRemote ? server.address : null],
    ['server.port', isRemote ? server.port : null],
    ['db.response.status_code', error === 'other' ? null : error],
    ['error.type', errorType],
    ['respool.route', route],
    ['respool.request.size', span.requestBytes],
  ];
  return {
    traceId: ids.slice(0, TRACE_ID_BYTES * 2),
    spanId: ids.slice(TRACE_ID_BYTES * 2),
    name: name.toUpperCase(),
    kind: SPAN_KIND_CLIENT,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    ...encode(attributes),
    status: error === null ? {} : { code: STATUS_ERROR },
  };
}

function encode(attributes: readonly Attribute[]): { attributes: object[] } {
  const present = attributes.filter(([, value]) => value !== null);
  return {
    attributes: present.map(([key, value]) => ({
      key,
      value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
    })),
  };
}

/** Milliseconds since the epoch as nanoseconds, which no double can hold. */
function nanoseconds(milliseconds: number): string {
  return `${Math.round(milliseconds * 1000)}000`;
}
