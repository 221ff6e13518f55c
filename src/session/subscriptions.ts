/**
 * The channels and patterns of one client, so that its subscription can be made again on another connection. Follows
 * what the client asks for; the upstream refuses none of these commands for what they name, save for missing rights.
 */
import { encodeCommand } from '../resp/encoder.js';

const FAMILIES = ['subscribe', 'psubscribe', 'ssubscribe'] as const;
type Family = (typeof FAMILIES)[number];

export class Subscriptions {
  private readonly names: Record<Family, Set<string>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set(),
  };

  /** All channels, patterns and shard channels. */
  get size(): number {
    return FAMILIES.reduce((sum, family) => sum + this.names[family].size, 0);
  }

  /** Follows one (P|S)SUBSCRIBE or (P|S)UNSUBSCRIBE, and returns how many confirmations the upstream will send. */
  apply(command: string, args: readonly Buffer[]): number {
    const leaving = command.includes('unsubscribe');
    const names = this.names[command.replace('unsub', 'sub') as Family];
    const given = args.slice(1).map((name) => name.toString('latin1'));
    // Who leaves everything is told so for each name, or once when there is none.
    const confirmations = given.length > 0 ? given.length : Math.max(1, names.size);
    if (!leaving) given.forEach((name) => names.add(name));
    else if (given.length > 0) given.forEach((name) => names.delete(name));
    else names.clear();
    return confirmations;
  }

  clear(): void {
    for (const family of FAMILIES) this.names[family].clear();
  }

  /** The commands that make all of it again. The upstream confirms each name: `size` confirmations in all. */
  commands(): Buffer[] {
    return FAMILIES.filter((family) => this.names[family].size > 0).map((family) =>
      encodeCommand([
        family,
        ...[...this.names[family]].map((name) => Buffer.from(name, 'latin1')),
      ]),
    );
  }
}
