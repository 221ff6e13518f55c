/** What the sidecar says of itself: RESPOOL, and its section of INFO. */
import { COMMANDS } from '../command/table.js';
import { encodeText } from '../resp/reply-encoder.js';
import type { Session } from '../session/session.js';
import type { ReplyReceiver } from '../upstream/receiver.js';
import type { ProxyContext } from './context.js';
import { NOAUTH, NOT_PERMITTED } from './errors.js';
import { InfoReceiver } from './section-receiver.js';
import { infoRequestOf, respoolSection } from './status-section.js';
import { answerRespool, isHarmlessRespool } from './respool-command.js';
import type { Special } from './special.js';

/** INFO that names nothing but the sidecar's section. */
export function asksForOurSection({ id, args }: Special): boolean {
  return isInfo(id) && infoRequestOf(args) === 'local';
}

/** `receiver`, behind whoever adds the section to the reply, where one is wanted. */
export function withOurSection(
  id: number,
  args: readonly Buffer[],
  receiver: ReplyReceiver,
  { control }: ProxyContext,
): ReplyReceiver {
  if (!isInfo(id) || infoRequestOf(args) !== 'append') return receiver;
  return new InfoReceiver(receiver, () => respoolSection(control.status()));
}

/** The reply to RESPOOL, or to INFO of our section alone. */
export function answerOwn(
  { effect, args }: Special,
  { identity, state }: Session,
  { control, outage, isStranger }: ProxyContext,
): Buffer {
  if (isStranger(identity)) return NOAUTH;
  if (effect !== 'own') return encodeText(respoolSection(control.status()), state.resp);
  const needsOurRights = control.outage !== null && !isHarmlessRespool(args);
  if (needsOurRights && !outage.ownsRights(identity)) return NOT_PERMITTED;
  return answerRespool(args, control, state.resp);
}

function isInfo(commandId: number): boolean {
  return COMMANDS[commandId]!.name === 'info';
}
