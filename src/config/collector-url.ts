/** Where spans go: the address of an OpenTelemetry collector that takes OTLP over HTTP. Carries no secret. */
import { accepted, REJECTED, type Kind } from './kinds.js';

/** Where a collector takes spans when only its address is given, as OpenTelemetry has it. */
const TRACES_PATH = '/v1/traces';

/** The whole URL for `POST`; a path that is given is used as it is. */
export const collectorUrl: Kind<string> = {
  placeholder: 'url',
  allowed: 'http://host[:port][/path] or https://…, as in http://127.0.0.1:4318',
  parse(text) {
    if (!/^https?:\/\/[^\s/]/.test(text) || !URL.canParse(text)) return REJECTED;
    const url = new URL(text);
    if (url.username !== '' || url.password !== '')
      return {
        ok: false,
        why: 'credentials do not belong here: it is logged; a collector nearby can hold them',
      };
    if (url.pathname === '/') url.pathname = TRACES_PATH;
    return accepted(url.href);
  },
};
