/**
 * How a value is printed: as it was written, without anything secret. Every place that prints configuration (problems,
 * `respool check`) goes through here, so that masking is done once.
 */
import { optionOf, type OptionName } from './options.js';
import { describeUpstream, maskUrl, upstreamUrl } from './upstream-url.js';

/** Longest value repeated in a message. */
const MAX_SHOWN_CHARACTERS = 200;

/** The text of option `name` for people. An unreadable URL is masked more than a readable one. */
export function showValue(name: OptionName, text: string): string {
  if (optionOf(name).secret) return '***';
  const shown = name === 'upstream' ? showUpstream(text) : text;
  return shown.length > MAX_SHOWN_CHARACTERS ? `${shown.slice(0, MAX_SHOWN_CHARACTERS)}…` : shown;
}

function showUpstream(text: string): string {
  const parsed = upstreamUrl.parse(text);
  return parsed.ok ? describeUpstream(parsed.value) : maskUrl(text);
}
